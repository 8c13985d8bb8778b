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

/** A number of the same kind for another value that takes room, by its key. */
export function pieceIdOf(key: string): number {
  let [high, low] = [0x811c9dc5, 0x1b873593];
  for (let at = 0; at < key.length; at++) {
    high = Math.imul(high ^ key.charCodeAt(at), 0x01000193);
    low = Math.imul(low ^ key.charCodeAt(at), 0x85ebca6b);
  }
  return (high >>> 6) * 2 ** 26 + (low >>> 6);
}

export const chunkIdsOf = (digests: ChunkDigests): ChunkIds =>
  Float64Array.from(digests, (digest) => (digest === null ? hole : chunkIdOf(digest)));
