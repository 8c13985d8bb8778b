/** `verify`: reads everything that is stored and reports damage. With `repair`, it downloads damaged chunks again. */

import type { ManagerContext } from "../context.ts";
import { streamCached } from "../delivery/open-image.ts";
import { createProgress } from "../delivery/progress.ts";
import { eachOf } from "../each.ts";
import { InvalidArgumentError, isImageManagerError } from "../errors.ts";
import { callSignal } from "../lookup/call-signal.ts";
import { chunksWithin } from "../memory/budget.ts";
import { findOrphans } from "../retention/orphans.ts";
import { stockOf } from "../retention/stock.ts";
import { inspectChunk, isChunkSound, storedLength } from "../store/chunk-store.ts";
import { assertCompleteListing } from "../store/complete-listing.ts";
import type { Inventory } from "../store/inventory.ts";
import { imageKey } from "../store/keys.ts";
import { chunkLength, type Manifest, readManifest } from "../store/manifest.ts";
import type { StoredChunk } from "../store/stored-chunk.ts";
import { orStoreFault } from "../store-fault.ts";
import type { DamagedImage, VerifyOptions, VerifyReport } from "../types.ts";
import { unlessAborted } from "../waiting.ts";
import { noteSha256 } from "./note-sha256.ts";
import { noteStored } from "./note-stored.ts";

/** See {@link ImageManager.verify}. */
export async function verify(context: ManagerContext, options: VerifyOptions = {}): Promise<VerifyReport> {
  context.closing.throwIfAborted();
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options must be an object");
  const signal = callSignal(context, options.signal);
  assertCompleteListing(context.store, "verify");
  signal.throwIfAborted();
  const inventory = await context.inventory();
  const manifests = await readManifests(context, inventory);
  const { bad, known, ...checked } = await checkChunks(context, manifests, options, signal);
  const damaged: DamagedImage[] = [];
  for (const [id, manifest] of manifests) {
    const badChunks = [...manifest.chunks.keys()].filter((index) => bad.has(manifest.chunks[index] ?? ""));
    if (badChunks.length === 0) await noteSha256(context, id, manifest, signal);
    if (badChunks.length === 0) await noteStored(context, id, manifest, known);
    if (badChunks.length === 0) continue;
    const isRepaired = options.repair === true && (await repair(context, id, manifest, badChunks, signal));
    const { deviceType, version } = manifest.identity;
    damaged.push({ id, deviceType, version, chunks: badChunks, isRepaired });
  }
  if (options.repair) {
    const remove = (id: string) => orStoreFault(context, "remove", () => context.store.remove(imageKey(id)));
    await eachOf(inventory.unreadable, remove);
  }
  // In doubt a chunk is needed.
  const orphans = inventory.isUncertain ? [] : await findOrphans(context, stockOf(context, inventory));
  const lengthOf = (digest: string) => storedLength(context.store, digest);
  const orphanBytes = await eachOf(orphans, lengthOf, atATime(context, context.chunkBytes));
  return {
    images: manifests.size,
    ...checked,
    damaged,
    unreadable: inventory.unreadable,
    orphans: orphans.length,
    reclaimableBytes: orphanBytes.reduce((sum, bytes) => sum + bytes, 0),
  };
}

/** With their digests, which the inventory does not keep. */
async function readManifests(
  { store }: ManagerContext,
  { images }: Inventory,
): Promise<Map<string, Manifest>> {
  const manifests = new Map<string, Manifest>();
  await eachOf([...images.keys()], async (id) => {
    const manifest = await readManifest(store, id);
    if (manifest) manifests.set(id, manifest);
  });
  return manifests;
}

/** Length of each distinct chunk. */
function lengthsOf(manifests: Iterable<Manifest>): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const manifest of manifests) {
    for (const [index, digest] of manifest.chunks.entries())
      if (digest !== null) lengths.set(digest, chunkLength(manifest, index));
  }
  return lengths;
}

/** Reads each distinct chunk once. */
async function checkChunks(
  context: ManagerContext,
  manifests: ReadonlyMap<string, Manifest>,
  { onProgress }: VerifyOptions,
  signal: AbortSignal,
) {
  const queue = [...lengthsOf(manifests.values())];
  const largest = queue.reduce((most, [, bytes]) => Math.max(most, bytes), 1);
  const progress = createProgress(onProgress, context.now);
  progress.setTotal(queue.reduce((sum, [, bytes]) => sum + bytes, 0));
  const bad = new Set<string>();
  const known = new Map<string, StoredChunk>();
  let [checkedBytes, readAgain] = [0, 0];
  const onReadAgain = () => {
    readAgain += 1;
  };
  const check = async ([digest, bytes]: (typeof queue)[number]) => {
    signal.throwIfAborted();
    const chunk = await inspectChunk({ ...context, onReadAgain }, digest, bytes);
    if (chunk) known.set(digest, chunk);
    else bad.add(digest);
    checkedBytes += bytes;
    progress.report(checkedBytes);
  };
  await eachOf(queue, check, atATime(context, largest));
  signal.throwIfAborted(); // all may have been under way when it was aborted
  return { bad, known, chunks: queue.length, checkedBytes, readAgain };
}

/**
 * How many chunks are read at once: as many as the streams of this manager leave memory for, so that a store that is far away is not waited for
 * one by one.
 */
function atATime({ memory }: ManagerContext, chunkBytes: number): number {
  return chunksWithin(memory.limitBytes - memory.usedBytes, chunkBytes, [4, 64]);
}

/** Reads from the first bad chunk to the last as any get would, since reading heals; then looks whether the store has them. */
async function repair(
  context: ManagerContext,
  id: string,
  manifest: Manifest,
  chunks: readonly number[],
  signal: AbortSignal,
): Promise<boolean> {
  const { identity, chunkBytes } = manifest;
  const span = { start: chunks[0]! * chunkBytes, end: (chunks.at(-1)! + 1) * chunkBytes };
  const read = { id, identity, mode: "default", span, signal, onProgress: undefined } as const;
  try {
    for await (const _ of streamCached(context, read, manifest, "cache"));
    await writesSettled(context, id, signal);
    const isSound = (index: number) =>
      isChunkSound(context, manifest.chunks[index] as string, chunkLength(manifest, index));
    const sound = await eachOf(chunks, isSound, atATime(context, chunkBytes));
    return sound.every(Boolean);
  } catch (failure) {
    signal.throwIfAborted();
    if (isImageManagerError(failure)) return false;
    throw failure;
  }
}

/** A chunk is handed out before it is written. */
async function writesSettled({ running }: ManagerContext, id: string, signal: AbortSignal): Promise<void> {
  const ours = [...running].filter(({ options }) => options.id === id);
  await unlessAborted(signal, () => Promise.allSettled(ours.map(({ outcome }) => outcome)));
}
