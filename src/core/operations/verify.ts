/** `verify`: reads all that is stored, reports what is damaged and, if asked, has it fetched again. */
import type { ManagerContext } from "../context.ts";
import { isImageManagerError, ListingIncompleteError } from "../errors.ts";
import { chunkUses } from "../retention/accounting.ts";
import { findOrphans } from "../retention/orphans.ts";
import { isChunkSound, storedLength } from "../store/chunk-store.ts";
import { eachOf } from "../store/each.ts";
import { type Inventory, readInventory } from "../store/inventory.ts";
import { imageKey } from "../store/keys.ts";
import type { Manifest } from "../store/manifest.ts";
import { createProgress } from "../transfer/progress.ts";
import type { DamagedImage, VerifyOptions, VerifyReport } from "../types.ts";
import { streamCached } from "./open-image.ts";

/** See {@link ImageManager.verify}. */
export async function verify(context: ManagerContext, options: VerifyOptions = {}): Promise<VerifyReport> {
  if (!context.store.completeListing) {
    throw new ListingIncompleteError(
      "verify needs a store whose listing is complete (capabilities.completeListing)",
    );
  }
  const signal = options.signal ? AbortSignal.any([options.signal, context.closing]) : context.closing;
  signal.throwIfAborted();
  const inventory = await readInventory(context.store);
  const { bad, checkedBytes, chunks } = await checkChunks(context, inventory, options, signal);
  const damaged: DamagedImage[] = [];
  for (const [id, manifest] of inventory.images) {
    const badChunks = [...manifest.chunks.keys()].filter((index) => bad.has(manifest.chunks[index] ?? ""));
    if (badChunks.length === 0) continue;
    const isRepaired = options.repair === true && (await repair(context, id, manifest, badChunks, signal));
    const { deviceType, version } = manifest.identity;
    damaged.push({ id, deviceType, version, chunks: badChunks, isRepaired });
  }
  if (options.repair) await eachOf(inventory.unreadable, (id) => context.store.remove(imageKey(id)));
  const orphans = await findOrphans(context, inventory);
  const orphanBytes = await eachOf(orphans, (digest) => storedLength(context.store, digest));
  return {
    images: inventory.images.size,
    chunks,
    checkedBytes,
    damaged,
    unreadable: inventory.unreadable,
    orphans: orphans.length,
    reclaimableBytes: orphanBytes.reduce((sum, bytes) => sum + bytes, 0),
  };
}

/** Reads each distinct chunk once, one chunk or 16 MiB at a time. */
async function checkChunks(
  context: ManagerContext,
  inventory: Inventory,
  { onProgress }: VerifyOptions,
  signal: AbortSignal,
) {
  const queue = [...chunkUses(inventory.images.values())];
  const largest = Math.max(1, ...queue.map(([, { bytes }]) => bytes));
  const progress = createProgress(onProgress, context.now);
  progress.setTotal(queue.reduce((sum, [, { bytes }]) => sum + bytes, 0));
  const bad = new Set<string>();
  let checkedBytes = 0;
  let next = 0;
  const work = async () => {
    for (let index = next++; index < queue.length; index = next++) {
      signal.throwIfAborted();
      const [digest, { bytes }] = queue[index]!;
      if (!(await isChunkSound(context.store, digest, bytes))) bad.add(digest);
      checkedBytes += bytes;
      progress.report(checkedBytes);
    }
  };
  const atATime = Math.max(1, Math.min(4, Math.floor((16 * 1024 * 1024) / largest)));
  await Promise.all(Array.from({ length: atATime }, work));
  return { bad, checkedBytes, chunks: queue.length };
}

/** Reads the damaged parts as any get would: reading heals. */
async function repair(
  context: ManagerContext,
  id: string,
  manifest: Manifest,
  chunks: readonly number[],
  signal: AbortSignal,
): Promise<boolean> {
  const { identity, chunkBytes } = manifest;
  try {
    for (const index of chunks) {
      const span = { start: index * chunkBytes, end: (index + 1) * chunkBytes };
      const read = { id, identity, mode: "default", span, signal, onProgress: undefined } as const;
      for await (const _ of streamCached(context, read, manifest, "cache"));
    }
    return true;
  } catch (failure) {
    signal.throwIfAborted();
    if (isImageManagerError(failure)) return false;
    throw failure;
  }
}
