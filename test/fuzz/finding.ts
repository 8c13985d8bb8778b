// What the fuzz calls a fault, and how it tells one from an error that a caller can deal with.
import { isImageManagerError } from "../../src/core/index.ts";

/** A fault: wrong bytes, an error without a type, a hang, a value of the wrong shape. */
export class Finding extends Error {}

/** How long a step may take: a hundred times what the patience of the managers adds up to, and more for a busy machine. */
const limitMs = 20_000;

/** Settles as the work does; work that does not end is a finding. */
export async function unlessHanging<T>(what: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hanging = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Finding(`${what} hangs: not over after ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work(), hanging]);
  } finally {
    clearTimeout(timer);
  }
}

/** Passes for a typed error, and for the reason of the caller's own abort; throws a finding for any other. */
export function assertTyped(what: string, failure: unknown, reason?: unknown): void {
  if (failure instanceof Finding) throw failure;
  if (reason !== undefined && failure === reason) return;
  if (isImageManagerError(failure) && typeof failure.code === "string" && failure.message !== "") return;
  const stack = failure instanceof Error ? failure.stack : String(failure);
  throw new Finding(`${what} fails with an error of no known type: ${stack}`, { cause: failure });
}

/** Throws a finding unless it is so. */
export function assertThat(isSo: boolean, what: string): void {
  if (!isSo) throw new Finding(what);
}
