/** `cleanCache`: deletes everything under the prefix, key by key, and nothing outside it. */
import type { ManagerContext } from "../context.ts";
import { eachOf } from "../each.ts";
import { StoreError } from "../errors.ts";
import type { ByteStore } from "../store/byte-store.ts";
import { folders } from "../store/keys.ts";

/** See {@link ImageManager.cleanCache}. */
export async function cleanCache(context: ManagerContext): Promise<void> {
  const { store, closing } = context;
  closing.throwIfAborted();
  // What is written after its listing would stay behind, so our own writing ends first. Deliveries go on.
  await Promise.all([...context.running].map((transfer) => transfer.stopStoring()));
  await Promise.allSettled(context.background);
  let keys = await store.list("");
  for (let isMore = true; isMore && keys.length > 0; ) {
    await removeAll(store, keys);
    const left = await store.list("");
    const deleted = new Set(keys);
    await insist(
      store,
      left.filter((key) => deleted.has(key)),
    );
    // A complete listing had all keys of the time of the call. New keys are newer work of another process.
    isMore = !store.completeListing && left.some((key) => !deleted.has(key));
    keys = left;
  }
}

/** Manifests first: a process that dies half-way leaves chunks that nobody needs, not images without chunks. */
async function removeAll(store: ByteStore, keys: readonly string[]): Promise<void> {
  const isManifest = (key: string) => key.startsWith(folders.images);
  await store.removeMany(keys.filter(isManifest));
  await store.removeMany(keys.filter((key) => !isManifest(key)));
}

const tries = 3;

/** Some stores still list a deleted key for a while, and another process may write it again. Only a value that stays was not deleted. */
async function insist(store: ByteStore, keys: readonly string[]): Promise<void> {
  const kept = await eachOf(keys, async (key) => {
    for (let attempt = 0; attempt < tries; attempt++) {
      await store.remove(key);
      if (!(await store.read(key))) return false;
    }
    return true;
  });
  const count = kept.filter(Boolean).length;
  if (count > 0) throw new StoreError(`The store did not delete ${count} of the keys`);
}
