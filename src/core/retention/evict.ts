/** Takes images out of the store: the manifest first, then the chunks that nobody else needs. */
import type { ManagerContext } from "../context.ts";
import { eachOf } from "../store/each.ts";
import type { Inventory } from "../store/inventory.ts";
import { removeAllJournals } from "../store/journal.ts";
import { chunkKey, imageKey, useKey } from "../store/keys.ts";
import { chunkUses, releaseChunks } from "./accounting.ts";
import { chunksInUse, journaledChunks } from "./needed.ts";

/** Evicts images and says how many bytes that freed. Whoever dies half-way leaves orphans, never a broken image. */
export async function evict(
  context: ManagerContext,
  inventory: Inventory,
  ids: readonly string[],
): Promise<number> {
  // Counted once: to count what is left after each one that goes would cost images times chunks.
  const uses = chunkUses(inventory.images.values());
  const journaled = journaledChunks(inventory);
  let freedBytes = 0;
  for (const id of ids) {
    const manifest = inventory.images.get(id);
    if (!manifest) continue;
    await context.store.remove(imageKey(id));
    const inUse = chunksInUse(context); // by now, since a stream may have begun meanwhile
    const freed = await removeChunks(
      context,
      [...releaseChunks(manifest, uses)].filter(([digest]) => !journaled.has(digest) && !inUse.has(digest)),
    );
    await context.store.remove(useKey(id));
    context.emit({ type: "evicted", image: id, freedBytes: freed });
    freedBytes += freed;
  }
  return freedBytes;
}

/** Forgets a transfer that did not end. Its chunks become orphans, which the next sweeps see to. */
export async function forgetJournals(context: ManagerContext, ids: readonly string[]): Promise<void> {
  await eachOf(ids, (id) => removeAllJournals(context.store, id));
}

async function removeChunks(
  { store }: ManagerContext,
  chunks: readonly (readonly [digest: string, bytes: number])[],
): Promise<number> {
  await eachOf(chunks, ([digest]) => store.remove(chunkKey(digest)));
  return chunks.reduce((sum, [, bytes]) => sum + bytes, 0);
}
