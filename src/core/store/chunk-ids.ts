/**
 * Chunks as numbers, for the inventory of the store. 52 bits of a digest take an eighth of the memory of its text. Two chunks with the same
 * number count as one. One of them may then stay too long or not be counted, but nothing is deleted by its number.
 */
import type { ChunkDigests } from "../digest.ts";

/** The chunks of an image in order; {@link hole} for one of zeros. */
export type ChunkIds = Float64Array;

export const hole = -1;

/** 13 hex digits: the most that a number holds exactly. */
export const chunkIdOf = (digest: string): number => Number.parseInt(digest.slice(0, 13), 16);

export const chunkIdsOf = (digests: ChunkDigests): ChunkIds =>
  Float64Array.from(digests, (digest) => (digest === null ? hole : chunkIdOf(digest)));
