/**
 * Orphans: chunks that no image and no transfer names. A process that died, or an image that was replaced, has left them. An orphan is
 * deleted if it is seen twice, a grace period apart, because another process may be about to name it.
 */

import { isChunkDigests, isRecord, isTime } from "../checks.ts";
import type { ManagerContext } from "../context.ts";
import { ChunkCounts } from "../store/chunk-counts.ts";
import { chunkIdOf } from "../store/chunk-ids.ts";
import { type Content, contentOfChunks } from "../store/content.ts";
import { decodeSealed, encodeSealed } from "../store/json.ts";
import { chunkKey, digestOfChunkKey, folders, orphansKey } from "../store/keys.ts";
import { chunksInUse } from "./needed.ts";
import { contentsOf, lookAtStock, type Stock } from "./stock.ts";

/** Longer than any chunk waits to be named by a journal. */
const graceMs = 60 * 60 * 1000;

interface Sighting {
  readonly sightedAt: number;
  readonly digests: readonly (string | null)[];
}

/** Digests of all chunks that nobody needs. The stock must be what was found by reading everything. */
export async function findOrphans(context: ManagerContext, stock: Stock): Promise<string[]> {
  const { store } = context;
  const counts = new ChunkCounts(contentsOf(stock));
  const orphans: string[] = [];
  for (const folder of chunkFolders(contentsOf(stock))) {
    const digests = (await store.list(folder)).map(digestOfChunkKey);
    const inUse = chunksInUse(context); // after the listing: what came meanwhile is needed
    for (const digest of digests) {
      const id = chunkIdOf(digest);
      if (counts.countOf(id) === 0 && !inUse.has(id)) orphans.push(digest);
    }
  }
  return orphans;
}

/** A listing is in memory as a whole. If there are many chunks, they are listed by the first two digits. */
const mostListed = 200_000;

function chunkFolders(contents: readonly Content[]): string[] {
  const chunks = contents.reduce((sum, { ids }) => sum + ids.length, 0);
  if (chunks <= mostListed) return [folders.chunks];
  const digits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
  return digits.map((two) => `${folders.chunks}${two}:`);
}

/** Deletes those that were seen before, remembers the others. Says how many went. */
export async function sweepOrphans(context: ManagerContext, stock: Stock): Promise<number> {
  const orphans = await findOrphans(context, stock);
  const sighting = await readSighting(context);
  const ageMs = sighting ? context.now() - sighting.sightedAt : Number.NaN;
  if (sighting && ageMs >= 0 && ageMs < graceMs) return 0;
  const seenBefore = new Set(ageMs >= graceMs ? sighting?.digests : []);
  const removed = await stillUnneeded(
    context,
    orphans.filter((digest) => seenBefore.has(digest)),
  );
  await context.store.removeMany(removed.map(chunkKey));
  const gone = new Set(removed);
  await writeSighting(
    context,
    orphans.filter((digest) => !gone.has(digest)),
  );
  return removed.length;
}

/** Reading everything takes its time. What others have committed meanwhile, and what they write, is in the ledger and the journals. */
async function stillUnneeded(context: ManagerContext, digests: readonly string[]): Promise<string[]> {
  if (digests.length === 0) return [];
  const only = contentOfChunks(digests.map((digest) => [digest, 0]));
  const counts = new ChunkCounts(contentsOf(await lookAtStock(context)), [only]);
  return digests.filter((digest) => counts.countOf(chunkIdOf(digest)) === 0);
}

async function readSighting({ store }: ManagerContext): Promise<Sighting | undefined> {
  const value = await decodeSealed(orphansKey, await store.read(orphansKey));
  return isSighting(value) ? value : undefined;
}

const isSighting = (value: unknown): value is Sighting =>
  isRecord(value) && isTime(value["sightedAt"]) && isChunkDigests(value["digests"]);

async function writeSighting({ store, now }: ManagerContext, digests: readonly string[]): Promise<void> {
  if (digests.length === 0) return store.remove(orphansKey);
  const sighting: Sighting = { sightedAt: now(), digests };
  await store.write(orphansKey, await encodeSealed(orphansKey, sighting));
}
