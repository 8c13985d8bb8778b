/** `cleanCache`: deletes everything under the prefix, key by key, and nothing outside it. */
import type { ManagerContext } from "../context.ts";
import type { ByteStore } from "../store/byte-store.ts";

/** See {@link ImageManager.cleanCache}. */
export async function cleanCache(context: ManagerContext): Promise<void> {
  // A chunk that arrives after its listing would stay behind, so writing ends first. Deliveries go on.
  await Promise.all([...context.running].map((transfer) => transfer.stopStoring()));
  let previous: string | undefined;
  for (;;) {
    // Again and again, because some drivers list a thousand keys at most.
    const keys = await context.store.list("");
    if (keys.length === 0) return;
    const seen = keys.join("\n");
    if (seen === previous) return; // keys that can't be deleted: foreign files, say
    previous = seen;
    await removeAll(context.store, keys);
  }
}

const removalsAtATime = 32;

async function removeAll(store: ByteStore, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += removalsAtATime) {
    await Promise.all(keys.slice(start, start + removalsAtATime).map((key) => store.remove(key)));
  }
}
