/** Takes images out of the store: the manifest first, then the chunks that nobody else needs. */
import type { ManagerContext } from "../context.ts";
import { eachOf } from "../store/each.ts";
import type { Inventory } from "../store/inventory.ts";
import { removeJournals } from "../store/journal.ts";
import { chunkKey, imageKey, useKey } from "../store/keys.ts";
import type { Manifest } from "../store/manifest.ts";
import { chunksOf } from "./accounting.ts";
import { neededChunks } from "./needed.ts";

/** Evicts images and says how many bytes that freed. Whoever dies half-way leaves orphans, never a broken image. */
export async function evict(
  context: ManagerContext,
  inventory: Inventory,
  ids: readonly string[],
): Promise<number> {
  const gone = new Set<string>();
  let freedBytes = 0;
  for (const id of ids) {
    const manifest = inventory.images.get(id);
    if (!manifest) continue;
    await context.store.remove(imageKey(id));
    gone.add(id);
    const freed = await removeUnneeded(context, manifest, () => neededChunks(context, inventory, gone));
    await context.store.remove(useKey(id));
    context.emit({ type: "evicted", image: id, freedBytes: freed });
    freedBytes += freed;
  }
  return freedBytes;
}

/** Forgets a transfer that did not end. Its chunks become orphans, which the next sweeps see to. */
export async function forgetJournals(context: ManagerContext, ids: readonly string[]): Promise<void> {
  await eachOf(ids, (id) => removeJournals(context.store, id, Number.POSITIVE_INFINITY));
}

async function removeUnneeded(
  context: ManagerContext,
  manifest: Manifest,
  needed: () => Set<string>,
): Promise<number> {
  const stillNeeded = needed();
  const chunks = [...chunksOf(manifest)].filter(([digest]) => !stillNeeded.has(digest));
  await eachOf(chunks, ([digest]) => context.store.remove(chunkKey(digest)));
  return chunks.reduce((sum, [, bytes]) => sum + bytes, 0);
}
