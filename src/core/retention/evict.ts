/** Deletes images and broken transfers from the store: first the manifest or journal, then the chunks that nothing else needs. */
import type { ManagerContext } from "../context.ts";
import { ChunkCounts } from "../store/chunk-counts.ts";
import { chunkIdOf } from "../store/chunk-ids.ts";
import { contentOfChunks } from "../store/content.ts";
import { readJournal } from "../store/journal.ts";
import { chunkKey, imageKey, leaseFolder, partialFolder, useKey } from "../store/keys.ts";
import { readManifest } from "../store/manifest.ts";
import type { EvictionReason } from "../types.ts";
import type { Tenant } from "./accounting.ts";
import { chunksInUse } from "./needed.ts";
import { contentsOf, noteGone, type Stock } from "./stock.ts";

/** What goes. */
export type Leaving = Pick<Tenant, "id" | "isPartial" | "content">;

/** What is left of a transfer, even if nobody can read its journal. */
export function leavingPartial({ journals }: Pick<Stock, "journals">, id: string): Leaving {
  return { id, isPartial: true, content: journals.get(id)?.content ?? contentOfChunks([]) };
}

/** Evicts the tenants and returns the freed bytes. If the process dies half-way, it leaves orphans, never a broken image. */
export async function evict(
  context: ManagerContext,
  stock: Stock,
  leaving: readonly Leaving[],
  reason: EvictionReason,
): Promise<number> {
  const leavingContents = leaving.map(({ content }) => content);
  const counts = new ChunkCounts(
    [...contentsOf(without(stock, leaving)), ...leavingContents],
    leavingContents, // all others may stay uncounted
  );
  let freedBytes = 0;
  for (const tenant of leaving) {
    const released = counts.release(tenant.content);
    const freed = tenant.isPartial
      ? await evictPartial(context, stock, tenant.id, released)
      : await evictImage(context, tenant.id, released, reason);
    context.room.usedBytes -= freed;
    freedBytes += freed;
  }
  const images = leaving.filter(({ isPartial }) => !isPartial);
  await noteGone(
    context,
    images.map(({ id }) => id),
  );
  return freedBytes;
}

/** What stays. */
export function without<Kind extends Pick<Stock, "images" | "journals">>(
  stock: Kind,
  leaving: readonly Leaving[],
): Kind {
  const [images, journals] = [new Map(stock.images), new Map(stock.journals)];
  for (const { id, isPartial } of leaving) (isPartial ? journals : images).delete(id);
  return { ...stock, images, journals };
}

async function evictImage(
  context: ManagerContext,
  id: string,
  released: Map<number, number>,
  reason: EvictionReason,
): Promise<number> {
  const { store, emit } = context;
  // The stock has numbers only. Where the manifest has just gone bad, its chunks are left to the sweep of orphans.
  const chunks = (await readManifest(store, id).catch(() => undefined))?.chunks ?? [];
  await store.remove(imageKey(id));
  const freedBytes = await removeChunks(context, chunks, released);
  await store.remove(useKey(id));
  emit({ type: "evicted", image: id, freedBytes, reason });
  return freedBytes;
}

/** An owner that was only paused sees by its lease that it has lost, and commits nothing. */
async function evictPartial(
  context: ManagerContext,
  { journals }: Stock,
  id: string,
  released: Map<number, number>,
): Promise<number> {
  const { store } = context;
  const keys = await store.list(partialFolder(id));
  const journal = journals.get(id);
  const chunks = journal ? await journaledDigests(context, id, keys) : [];
  await store.removeMany(await store.list(leaseFolder(id)));
  await store.removeMany(keys);
  let pieceBytes = 0;
  for (const piece of journal?.pieces.ids ?? []) pieceBytes += released.get(piece) ?? 0; // their keys were among the journal's
  return pieceBytes + (await removeChunks(context, chunks, released));
}

async function journaledDigests(
  { store }: ManagerContext,
  id: string,
  keys: readonly string[],
): Promise<readonly (string | null)[]> {
  const folder = partialFolder(id);
  const epochs = keys.map((key) => Number.parseInt(key.slice(folder.length), 10));
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
