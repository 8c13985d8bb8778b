/** What takes room in the store: which chunks, each once, and how many bytes each. In the form that sums are made of. */
import { chunkIdOf, pieceIdOf } from "./chunk-ids.ts";
import { chunkLength, type Manifest } from "./manifest.ts";
import { storedBytesOf } from "./stored-chunk.ts";

/** Values that belong together: an image's chunks, say, or what a transfer has stored. Holes take no room and are not among them. */
export interface Content {
  /** Numbers of the values. None is twice among them. */
  readonly ids: Uint32Array;
  /** Bytes of each. Nearly all images have chunks of one length, but for the last. */
  readonly bytes: Uint32Array | EqualBytes;
}

/** Bytes of values that have the same length, but for the last. */
export interface EqualBytes {
  readonly usual: number;
  readonly last: number;
}

/** Bytes that the value at an index takes. */
export function bytesAt({ ids, bytes }: Content, index: number): number {
  if (!("usual" in bytes)) return bytes[index]!;
  return index === ids.length - 1 ? bytes.last : bytes.usual;
}

/** Bytes of all of it. */
export function bytesOf({ ids, bytes }: Content): number {
  if ("usual" in bytes) return ids.length === 0 ? 0 : (ids.length - 1) * bytes.usual + bytes.last;
  return bytes.reduce((sum, each) => sum + each, 0);
}

/** The content of an image, or of a journal. */
export function contentOf(image: Pick<Manifest, "size" | "chunkBytes" | "chunks" | "stored">): Content {
  const storedBytes = storedBytesOf(image.stored, (index) => chunkLength(image, index));
  const lengths = new Map<number, number>();
  for (const [index, digest] of image.chunks.entries())
    if (digest !== null) lengths.set(chunkIdOf(digest), storedBytes?.[index] ?? chunkLength(image, index));
  return contentOfLengths(lengths);
}

/** The content of chunks with these digests, or of pieces with these keys, and of so many bytes. */
export function contentOfChunks(chunks: Iterable<readonly [digest: string, bytes: number]>): Content {
  return contentOfLengths(new Map(Array.from(chunks, ([digest, bytes]) => [chunkIdOf(digest), bytes])));
}

export function contentOfPieces(pieces: Iterable<readonly [key: string, bytes: number]>): Content {
  return contentOfLengths(new Map(Array.from(pieces, ([key, bytes]) => [pieceIdOf(key), bytes])));
}

/** Two contents as one. */
export function joined(...contents: readonly Content[]): Content {
  const lengths = new Map<number, number>();
  for (const content of contents)
    for (const [index, id] of content.ids.entries()) lengths.set(id, bytesAt(content, index));
  return contentOfLengths(lengths);
}

function contentOfLengths(lengths: ReadonlyMap<number, number>): Content {
  const ids = Uint32Array.from(lengths.keys());
  const bytes = Uint32Array.from(lengths.values());
  const [usual = 0, last = 0] = [bytes[0], bytes.at(-1)];
  const areEqual = bytes.subarray(0, -1).every((each) => each === usual);
  return { ids, bytes: areEqual ? { usual, last } : bytes };
}
