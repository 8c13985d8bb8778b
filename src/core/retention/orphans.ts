/**
 * Orphans: chunks that no image and no transfer names. A process that died, or an image that was replaced, has left them. An orphan is
 * deleted if it is seen twice, a grace period apart, because another process may be about to name it.
 */

import { isChunkDigests, isRecord, isTime } from "../checks.ts";
import type { ManagerContext } from "../context.ts";
import { chunkIdOf } from "../store/chunk-ids.ts";
import type { Inventory } from "../store/inventory.ts";
import { decodeSealed, encodeSealed } from "../store/json.ts";
import { chunkKey, digestOfChunkKey, folders, orphansKey } from "../store/keys.ts";
import { neededChunks } from "./needed.ts";

/** Longer than any chunk waits to be named by a journal. */
const graceMs = 60 * 60 * 1000;

interface Sighting {
  readonly sightedAt: number;
  readonly digests: readonly (string | null)[];
}

/** Digests of all chunks that nobody needs. */
export async function findOrphans(context: ManagerContext, inventory: Inventory): Promise<string[]> {
  if (inventory.isUncertain) return []; // in doubt a chunk is kept
  const digests = (await context.store.list(folders.chunks)).map(digestOfChunkKey);
  const needed = neededChunks(context, inventory); // after the listing: what came meanwhile is needed
  return digests.filter((digest) => !needed.has(chunkIdOf(digest)));
}

/** Deletes those that were seen before, remembers the others. Says how many went. */
export async function sweepOrphans(context: ManagerContext, inventory: Inventory): Promise<number> {
  if (inventory.isUncertain) return 0;
  const orphans = await findOrphans(context, inventory);
  const sighting = await readSighting(context);
  const ageMs = sighting ? context.now() - sighting.sightedAt : Number.NaN;
  if (sighting && ageMs >= 0 && ageMs < graceMs) return 0;
  const seenBefore = new Set(ageMs >= graceMs ? sighting?.digests : []);
  const [removed, remaining] = [
    orphans.filter((d) => seenBefore.has(d)),
    orphans.filter((d) => !seenBefore.has(d)),
  ];
  await context.store.removeMany(removed.map(chunkKey));
  await writeSighting(context, remaining);
  return removed.length;
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
