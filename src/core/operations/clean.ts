/** `cleanCache`: deletes everything under the prefix, key by key, and nothing outside it. */
import type { ManagerContext } from "../context.ts";
import { StoreError } from "../errors.ts";
import type { ByteStore } from "../store/byte-store.ts";
import { eachOf } from "../store/each.ts";
import { folders } from "../store/keys.ts";

/** See {@link ImageManager.cleanCache}. */
export async function cleanCache(context: ManagerContext): Promise<void> {
  context.closing.throwIfAborted();
  // A chunk that arrives after its listing would stay behind, so writing ends first. Deliveries go on.
  await Promise.all([...context.running].map((transfer) => transfer.stopStoring()));
  let previous: string | undefined;
  for (;;) {
    // Again and again, because some drivers list a thousand keys at most.
    const keys = await context.store.list("");
    if (keys.length === 0) return;
    const seen = keys.join("\n");
    if (seen === previous) return assertGone(context.store, keys);
    previous = seen;
    // Manifests first: whoever dies half-way leaves chunks that nobody needs, not images without chunks.
    const isManifest = (key: string) => key.startsWith(folders.images);
    await eachOf(keys.filter(isManifest), (key) => context.store.remove(key));
    await eachOf(keys, (key) => context.store.remove(key));
  }
}

/** Keys may be listed for a while after they are gone; a value that can still be read was not deleted. */
async function assertGone(store: ByteStore, keys: readonly string[]): Promise<void> {
  let left = 0;
  await eachOf(keys, async (key) => {
    if (await store.read(key)) left += 1;
  });
  if (left > 0)
    throw new StoreError(`The store did not delete ${left} of the keys that it was asked to delete`);
}
