/**
 * Numbers for chunks, for sums over the whole store. 32 bits of a digest take a thirtieth of the memory of its text. Two chunks with the same
 * number count as one. One of them may then stay too long or not be counted, but nothing is deleted by its number: a store of 20 TB in chunks of
 * 4 MiB has about one such pair for each 2,000 chunks.
 */

/** 8 hex digits. Never 0, which stands for a free place in a table. */
export const chunkIdOf = (digest: string): number => Number.parseInt(digest.slice(0, 8), 16) || 1;

/** A number of the same kind for another value that takes room, by its key (FNV-1a). */
export function pieceIdOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0 || 1;
}
