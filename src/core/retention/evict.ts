/** Deletes images and broken transfers from the store: first the manifest or journal, then the chunks that nothing else needs. */
import type { ManagerContext } from "../context.ts";
import { chunkIdOf } from "../store/chunk-ids.ts";
import type { Inventory } from "../store/inventory.ts";
import { readJournal, removeAllJournals } from "../store/journal.ts";
import { chunkKey, imageKey, leaseFolder, partialFolder, useKey } from "../store/keys.ts";
import { readManifest } from "../store/manifest.ts";
import type { EvictionReason } from "../types.ts";
import { type ChunkUse, chunkUses, releaseChunks, type Tenant } from "./accounting.ts";
import { contentOf } from "./content.ts";
import { chunksInUse } from "./needed.ts";

/** What goes. */
export type Leaving = Pick<Tenant, "id" | "isPartial">;

/** Evicts the tenants and returns the freed bytes. If the process dies half-way, it leaves orphans, never a broken image. */
export async function evict(
  context: ManagerContext,
  inventory: Inventory,
  leaving: readonly Leaving[],
  reason: EvictionReason,
): Promise<number> {
  // Counted once. Counting again after each eviction would cost images times chunks.
  const uses = chunkUses([...inventory.images.values(), ...[...inventory.journals.values()].map(contentOf)]);
  let freedBytes = 0;
  for (const { id, isPartial } of leaving) {
    const freed = isPartial
      ? await evictPartial(context, inventory, id, uses)
      : await evictImage(context, inventory, id, uses, reason);
    context.room.usedBytes -= freed;
    freedBytes += freed;
  }
  return freedBytes;
}

async function evictImage(
  context: ManagerContext,
  inventory: Inventory,
  id: string,
  uses: Map<number, ChunkUse>,
  reason: EvictionReason,
): Promise<number> {
  const { store, emit } = context;
  const image = inventory.images.get(id);
  if (!image) return 0;
  // The inventory has numbers only. Where the manifest has just gone bad, its chunks are left to the sweep of orphans.
  const chunks = (await readManifest(store, id).catch(() => undefined))?.chunks ?? [];
  await store.remove(imageKey(id));
  const freedBytes = await removeChunks(context, chunks, releaseChunks(image, uses));
  await store.remove(useKey(id));
  emit({ type: "evicted", image: id, freedBytes, reason });
  return freedBytes;
}

/** An owner that was only paused sees by its lease that it has lost, and commits nothing. */
async function evictPartial(
  context: ManagerContext,
  inventory: Inventory,
  id: string,
  uses: Map<number, ChunkUse>,
): Promise<number> {
  const { store } = context;
  const journal = inventory.journals.get(id);
  const chunks = journal ? await journaledDigests(context, id) : [];
  await store.removeMany(await store.list(leaseFolder(id)));
  await removeAllJournals(store, id);
  if (!journal) return 0;
  const released = releaseChunks(contentOf(journal), uses);
  let pieceBytes = 0;
  for (const piece of journal.pieces.keys()) pieceBytes += released.get(piece) ?? 0; // their keys were among the journal's
  return pieceBytes + (await removeChunks(context, chunks, released));
}

async function journaledDigests({ store }: ManagerContext, id: string): Promise<readonly (string | null)[]> {
  const folder = partialFolder(id);
  const epochs = (await store.list(folder)).map((key) => Number.parseInt(key.slice(folder.length), 10));
  const ascending = [...new Set(epochs)].filter((epoch) => epoch > 0).sort((a, b) => a - b);
  return (await readJournal(store, id, ascending).catch(() => undefined))?.digests ?? [];
}

/** Of those that nobody else names, the ones that no stream needs by now: one may have begun meanwhile. */
async function removeChunks(
  context: ManagerContext,
  digests: readonly (string | null)[],
  released: Map<number, number>,
): Promise<number> {
  const inUse = chunksInUse(context);
  const isFree = (digest: string | null) =>
    digest !== null && released.has(chunkIdOf(digest)) && !inUse.has(chunkIdOf(digest));
  const free = [...new Set(digests.filter(isFree))] as string[];
  await context.store.removeMany(free.map(chunkKey));
  return free.reduce((sum, digest) => sum + released.get(chunkIdOf(digest))!, 0);
}
