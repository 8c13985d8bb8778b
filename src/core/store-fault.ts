/** Decides what a failure of the store means: which calls continue without the store, and which still ask it. */
import type { ManagerContext } from "./context.ts";
import { isUpstreamUnavailable } from "./errors.ts";
import type { Manner } from "./store/byte-store.ts";
import { probeKey } from "./store/keys.ts";

/** Runs a store call whose failure must not fail the operation: it is told as an event, and counts as nothing found. */
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

/** The same context, which asks its store in another manner. */
export function asking(context: ManagerContext, manner: Manner): ManagerContext {
  return { ...context, store: context.store.asked(manner), inventory: context.inventories[manner] };
}

/**
 * Runs what a get is made of. A store that hangs is left alone, as long as the upstream can serve; if nobody else can, it is asked all the
 * same, once it has answered at all.
 */
export async function sparingStore<T>(
  context: ManagerContext,
  isStoreNeeded: boolean,
  run: (context: ManagerContext) => Promise<T>,
): Promise<T> {
  const insistent = asking(context, "briefly");
  if (isStoreNeeded) return run(insistent);
  try {
    return await run(asking(context, "unless-hung"));
  } catch (failure) {
    if (!isUpstreamUnavailable(failure) || !context.store.isLeftAlone) throw failure;
    await insistent.store.read(probeKey).catch(() => {
      throw failure;
    });
    return run(insistent);
  }
}
