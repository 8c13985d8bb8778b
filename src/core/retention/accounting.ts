/** Who needs which chunk, what that weighs, and who goes first when room is short. Pure: plain data in, decisions out. */
import { chunkLength, type Manifest } from "../store/manifest.ts";

/** A stored image as far as room is concerned. */
export interface Tenant {
  readonly id: string;
  readonly manifest: Manifest;
  /** Last use, milliseconds since 1970. */
  readonly usedAt: number;
  /** Pinned, or read or written right now: never evicted. */
  readonly isSpared: boolean;
}

/** A chunk and how many images name it. */
export interface ChunkUse {
  readonly bytes: number;
  count: number;
}

/** Every chunk that some images name. Holes take no room and are not among them. */
export function chunkUses(manifests: Iterable<Manifest>): Map<string, ChunkUse> {
  const uses = new Map<string, ChunkUse>();
  for (const manifest of manifests) {
    for (const [digest, bytes] of chunksOf(manifest)) {
      const use = uses.get(digest);
      if (use) use.count += 1;
      else uses.set(digest, { bytes, count: 1 });
    }
  }
  return uses;
}

/** The distinct chunks of an image with their lengths. */
export function chunksOf(manifest: Manifest): Map<string, number> {
  const chunks = new Map<string, number>();
  for (const [index, digest] of manifest.chunks.entries()) {
    if (digest !== null) chunks.set(digest, chunkLength(manifest, index));
  }
  return chunks;
}

/** Bytes that chunks take, each counted once. */
export function totalBytes(uses: Map<string, ChunkUse>): number {
  return [...uses.values()].reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Bytes of an image that it alone needs, and those that it shares with others. */
export function shareOf(
  manifest: Manifest,
  uses: Map<string, ChunkUse>,
): { ownBytes: number; sharedBytes: number } {
  let [ownBytes, sharedBytes] = [0, 0];
  for (const [digest, bytes] of chunksOf(manifest)) {
    if ((uses.get(digest)?.count ?? 0) > 1) sharedBytes += bytes;
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
 * The images that have to go, least recently used first: all that were unused for too long, then as many as it takes to get
 * within `maxBytes`. An image whose chunks others need as well frees only what is its own at that moment.
 */
export function chooseEvictions(
  tenants: readonly Tenant[],
  limits: RoomLimits,
  now: number,
): { evicted: Tenant[]; bytesLeft: number } {
  const uses = chunkUses(tenants.map(({ manifest }) => manifest));
  const { maxBytes = Number.POSITIVE_INFINITY, unusedForMs = Number.POSITIVE_INFINITY } = limits;
  let bytesLeft = totalBytes(uses);
  const evicted: Tenant[] = [];
  for (const tenant of tenants.toSorted((a, b) => a.usedAt - b.usedAt)) {
    const isUnused = now - tenant.usedAt > unusedForMs;
    if (tenant.isSpared || (!isUnused && bytesLeft <= maxBytes)) continue;
    evicted.push(tenant);
    for (const bytes of releaseChunks(tenant.manifest, uses).values()) bytesLeft -= bytes;
  }
  return { evicted, bytesLeft };
}

/** Takes an image's part out of the uses; gives the chunks, with their bytes, that none of the other images names. */
export function releaseChunks(manifest: Manifest, uses: Map<string, ChunkUse>): Map<string, number> {
  const released = new Map<string, number>();
  for (const [digest, bytes] of chunksOf(manifest)) {
    const use = uses.get(digest)!;
    use.count -= 1;
    if (use.count === 0) released.set(digest, bytes);
  }
  return released;
}
