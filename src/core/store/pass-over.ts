/** Reads many values. A single value that can't be read is skipped. If the store itself can't be read, the reading fails. */
import type { ByteStore } from "./byte-store.ts";
import { probeKey } from "./keys.ts";

/** Told of a value that was passed over, with the store's reason. */
export type OnUnreadable = (cause: unknown) => void;

/**
 * What `read` gives, or `undefined` if the store fails to give this one value but answers otherwise: a file of another user's, say,
 * or a Redis key of another type.
 * @throws {StoreError} `STORE` if it answers nothing.
 */
export async function orPassOver<T>(
  store: ByteStore,
  onUnreadable: OnUnreadable,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (cause) {
    await store.read(probeKey);
    onUnreadable(cause);
    return undefined;
  }
}
