/** What is known of chunks as they lie in the store. A manifest and a journal say it, so that nobody has to read the chunks for it. */
import { isCount, isOptional, isRecord, isSha256 } from "../checks.ts";
import type { ChunkDigests } from "../digest.ts";

/** A chunk as it lies in the store. */
export interface StoredChunk {
  /** Bytes that it takes. */
  readonly bytes: number;
  /** SHA-256 of these bytes. Absent if the chunk lies as it is: then the chunk's own digest says it. */
  readonly sha256?: string | undefined;
  /** CRC-32 of the chunk itself. Present only if the chunk can be put into a gzip file without being packed again. */
  readonly crc32?: number | undefined;
}

/** For each chunk in order: `null` for a hole, and for a chunk that is as long as it is and of which no more is known. */
export type StoredChunks = readonly (StoredChunk | null)[];

/** What is known of an image's chunks, by their digests. `undefined` if that is nothing. */
export function storedChunksOf(
  digests: ChunkDigests,
  known: ReadonlyMap<string, StoredChunk>,
): StoredChunks | undefined {
  const stored = digests.map((digest) => {
    const chunk = digest === null ? undefined : known.get(digest);
    return chunk && (chunk.sha256 !== undefined || chunk.crc32 !== undefined) ? chunk : null;
  });
  return stored.some(Boolean) ? stored : undefined;
}

/** Bytes that the chunks take, by index. `undefined` if nothing is known. `lengthOf` says how long a chunk is. */
export function storedBytesOf(
  stored: StoredChunks | undefined,
  lengthOf: (index: number) => number,
): Float64Array | undefined {
  return stored && Float64Array.from(stored, (chunk, index) => chunk?.bytes ?? lengthOf(index));
}

/** A list of facts, as it was read. */
export const isStoredChunks = (value: unknown): value is StoredChunks =>
  Array.isArray(value) && value.every((chunk) => chunk === null || isStoredChunk(chunk));

function isStoredChunk(value: unknown): value is StoredChunk {
  if (!isRecord(value) || !isCount(value["bytes"])) return false;
  return isOptional(isSha256, value["sha256"]) && isOptional(isChecksum, value["crc32"]);
}

const isChecksum = (value: unknown): boolean => isCount(value) && value < 2 ** 32;
