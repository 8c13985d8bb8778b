/** Counts which image needs which chunk and how many bytes, and decides what is evicted first. Pure: plain data in, decisions out. */
import { type ChunkIds, hole } from "../store/chunk-ids.ts";
import { storedChunkBytes } from "../store/manifest.ts";

/** Chunks that belong together: an image's, or those that a transfer has stored. */
export interface Content {
  readonly size: number;
  readonly chunkBytes: number;
  readonly chunks: ChunkIds;
  /** Bytes that each chunk takes in the store, by index. Default: their lengths. */
  readonly storedBytes?: ArrayLike<number> | undefined;
  /** Other values that are stored with them: lengths by numbers of the same kind. */
  readonly pieces?: ReadonlyMap<number, number>;
}

/** Something that takes room. */
export interface Tenant {
  readonly id: string;
  /** What is left of a transfer that did not end: it goes before any image. */
  readonly isPartial?: boolean;
  readonly content: Content;
  /** Last use, milliseconds since 1970. */
  readonly usedAt: number;
  /** Pinned, or read or written right now: never evicted. */
  readonly isSpared: boolean;
}

/** A chunk and how many contents name it. */
export interface ChunkUse {
  readonly bytes: number;
  count: number;
}

/** Every chunk that some contents name. Holes take no room and are not among them. */
export function chunkUses(contents: Iterable<Content>): Map<number, ChunkUse> {
  const uses = new Map<number, ChunkUse>();
  for (const content of contents) {
    for (const [chunk, bytes] of chunksOf(content)) {
      const use = uses.get(chunk);
      if (use) use.count += 1;
      else uses.set(chunk, { bytes, count: 1 });
    }
  }
  return uses;
}

/** The distinct chunks, and other values, with their lengths. */
export function chunksOf(content: Content): Map<number, number> {
  const chunks = new Map(content.pieces);
  for (const [index, chunk] of content.chunks.entries()) {
    if (chunk !== hole) chunks.set(chunk, storedChunkBytes(content, index));
  }
  return chunks;
}

/** Bytes that chunks take, each counted once. */
export function totalBytes(uses: Map<number, ChunkUse>): number {
  let sum = 0;
  for (const { bytes } of uses.values()) sum += bytes;
  return sum;
}

/** Bytes of an image that it alone needs, and those that it shares with others. */
export function shareOf(
  content: Content,
  uses: Map<number, ChunkUse>,
): { ownBytes: number; sharedBytes: number } {
  let [ownBytes, sharedBytes] = [0, 0];
  for (const [chunk, bytes] of chunksOf(content)) {
    if ((uses.get(chunk)?.count ?? 0) > 1) sharedBytes += bytes;
    else ownBytes += bytes;
  }
  return { ownBytes, sharedBytes };
}

/** What is to be kept within. */
export interface RoomLimits {
  readonly maxBytes?: number | undefined;
  readonly unusedForMs?: number | undefined;
}

/**
 * Returns the tenants that must go: all that were unused for too long, then as many as needed to get within `maxBytes`. The order is: those
 * that can't stay in any case, then broken transfers, then images, the least recently used first. If others share a tenant's chunks, it
 * frees only the chunks that are its own at that moment.
 */
export function chooseEvictions(
  tenants: readonly Tenant[],
  limits: RoomLimits,
  now: number,
): { evicted: Tenant[]; bytesBefore: number; bytesLeft: number } {
  const uses = chunkUses(tenants.map(({ content }) => content));
  const { maxBytes = Number.POSITIVE_INFINITY, unusedForMs = Number.POSITIVE_INFINITY } = limits;
  const bytesBefore = totalBytes(uses);
  let bytesLeft = bytesBefore;
  const evicted: Tenant[] = [];
  for (const tenant of inOrderOfLeaving(tenants, maxBytes)) {
    const isUnused = now - tenant.usedAt > unusedForMs;
    if (!isUnused && bytesLeft <= maxBytes) continue;
    evicted.push(tenant);
    for (const bytes of releaseChunks(tenant.content, uses).values()) bytesLeft -= bytes;
  }
  return { evicted, bytesBefore, bytesLeft };
}

/** A tenant that exceeds the limit alone, or together with the spared ones, goes first. Otherwise small ones would go for it in vain. */
function inOrderOfLeaving(tenants: readonly Tenant[], maxBytes: number): Tenant[] {
  const spared = chunkUses(tenants.filter(({ isSpared }) => isSpared).map(({ content }) => content));
  const bytesForOthers = maxBytes - totalBytes(spared);
  const rank = ({ content, isPartial }: Tenant) => {
    let bytes = 0;
    for (const [chunk, length] of chunksOf(content)) if (!spared.has(chunk)) bytes += length;
    if (bytesForOthers > 0 && bytes > bytesForOthers) return 0;
    return isPartial ? 1 : 2;
  };
  return tenants
    .filter(({ isSpared }) => !isSpared)
    .map((tenant) => ({ tenant, rank: rank(tenant) }))
    .sort((a, b) => a.rank - b.rank || a.tenant.usedAt - b.tenant.usedAt)
    .map(({ tenant }) => tenant);
}

/** Takes a content out of the uses; gives the chunks, with their bytes, that no other content names. */
export function releaseChunks(content: Content, uses: Map<number, ChunkUse>): Map<number, number> {
  const released = new Map<number, number>();
  for (const [chunk, bytes] of chunksOf(content)) {
    const use = uses.get(chunk)!;
    use.count -= 1;
    if (use.count === 0) released.set(chunk, bytes);
  }
  return released;
}
