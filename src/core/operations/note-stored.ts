/** Puts right what a manifest says of its chunks as they lie in the store: another writer may have put them back in another form. */
import type { ManagerContext } from "../context.ts";
import { type Manifest, rewriteManifest } from "../store/manifest.ts";
import { type StoredChunk, storedChunksOf } from "../store/stored-chunk.ts";
import { orStoreFault } from "../store-fault.ts";

/** Writes the manifest, if it says otherwise than what was found of its chunks. What the store refuses is left out. */
export async function noteStored(
  context: ManagerContext,
  id: string,
  seen: Manifest,
  found: ReadonlyMap<string, StoredChunk>,
): Promise<void> {
  const { store } = context;
  if (!corrected(seen, found)) return;
  const note = () => rewriteManifest(store, id, seen.digest, (current) => corrected(current, found));
  await orStoreFault(context, "write", () => context.serially(note));
}

/** `undefined` if the manifest is right. */
function corrected(manifest: Manifest, found: ReadonlyMap<string, StoredChunk>): Manifest | undefined {
  const { stored: before, ...rest } = manifest;
  const stored = storedChunksOf(manifest.chunks, withChecksums(manifest, found));
  if (JSON.stringify(stored) === JSON.stringify(before)) return undefined;
  return { ...rest, ...(stored && { stored }) };
}

/** The CRC-32 of a chunk is the same however it lies. If it lies as it is, only an earlier look at its gzip can have told it. */
function withChecksums(
  { chunks, stored }: Manifest,
  found: ReadonlyMap<string, StoredChunk>,
): Map<string, StoredChunk> {
  const known = new Map(found);
  for (const [index, digest] of chunks.entries()) {
    const chunk = digest === null ? undefined : found.get(digest);
    const crc32 = stored?.[index]?.crc32;
    if (chunk && chunk.sha256 === undefined && crc32 !== undefined)
      known.set(digest as string, { bytes: chunk.bytes, crc32 });
  }
  return known;
}
