/** Runs a store call whose failure must not fail the operation: it is told as an event, and counts as nothing found. */
import type { ManagerContext } from "./context.ts";

export async function orStoreFault<T>(
  { emit }: Pick<ManagerContext, "emit">,
  operation: string,
  call: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call();
  } catch (cause) {
    emit({ type: "store-fault", operation, cause });
    return undefined;
  }
}

/** The same, unless only the store can answer: then its failure is the call's. */
export function orNothing<T>(
  context: Pick<ManagerContext, "emit">,
  { isStoreNeeded }: { readonly isStoreNeeded: boolean },
  operation: string,
  call: () => Promise<T>,
): Promise<T | undefined> {
  return isStoreNeeded ? call() : orStoreFault(context, operation, call);
}
