/** Which chunks the image of a running transfer has, as far as it came. A chunk that comes again is compared with its known digest. */

import type { ChunkDigests } from "../digest.ts";
import { ImageChangedError } from "../errors.ts";

/** How far the upstream's file (for example, the `.gz`) had come, of how many bytes. */
export interface FilePosition {
  readonly bytes: number;
  readonly totalBytes: number;
}

export class ChunkList {
  readonly digests: (string | null)[] = [];
  /** For each published chunk, how far the file had come by then. */
  readonly #positions: (FilePosition | undefined)[] = [];
  #position: FilePosition | undefined;
  readonly #expected: ChunkDigests;
  #chunkBytes: number;
  #lastLength: number;
  /** Digests of chunks that were taken back, by index. A reader that has such a chunk fails if the right one differs. */
  readonly #takenBack = new Map<number, string | null>();

  constructor(chunkBytes: number, expected: ChunkDigests) {
    this.#chunkBytes = chunkBytes;
    this.#lastLength = chunkBytes;
    this.#expected = expected;
  }

  get chunkBytes(): number {
    return this.#chunkBytes;
  }

  /** Takes another chunk size. Does nothing and returns `false` if chunks of the old size are known. */
  resize(chunkBytes: number): boolean {
    if (this.digests.length > 0 || this.#expected.length > 0) return false;
    this.#chunkBytes = chunkBytes;
    this.#lastLength = chunkBytes;
    return true;
  }

  /**
   * Adds the next chunk, or compares a chunk that comes again with its known digest. Returns whether the chunk is new.
   * @throws {ImageChangedError} `IMAGE_CHANGED`
   */
  append(index: number, digest: string | null, length: number): boolean {
    const isPublished = index < this.digests.length;
    const known = isPublished ? this.digests[index] : this.#expected[index];
    // All holes have the same digest, however long they are.
    const isOtherLength = isPublished && length !== this.lengthOf(index);
    if ((known !== undefined && known !== digest) || isOtherLength) {
      throw new ImageChangedError(`The upstream's bytes of this version changed (chunk ${index})`);
    }
    if (index !== this.digests.length) return false;
    this.digests.push(digest);
    this.#positions.push(this.#position);
    this.#lastLength = length;
    return true;
  }

  /** Forgets all chunks from an index on, because they were wrong. */
  takeBack(index: number): void {
    for (let last = this.digests.length - 1; last >= index; last--)
      // Readers may have the chunk that was delivered first.
      if (!this.#takenBack.has(last)) this.#takenBack.set(last, this.digests[last]!);
    this.digests.length = Math.min(index, this.digests.length);
    this.#positions.length = this.digests.length;
    this.#lastLength = this.#chunkBytes;
  }

  /** Whether a reader that is past a chunk may have got other bytes, because the chunk was taken back. */
  hadOther(index: number): boolean {
    const before = this.#takenBack.get(index);
    return before !== undefined && before !== this.digests[index];
  }

  /**
   * Makes sure that what comes after so many chunks is the end: a file that starts over, or one that somebody
   * already has a part of, may turn out to be shorter.
   * @throws {ImageChangedError} `IMAGE_CHANGED`
   */
  assertEndsAfter(count: number): void {
    if (count >= Math.max(this.digests.length, this.#expected.length)) return;
    throw new ImageChangedError("The upstream's image is shorter than the part that was delivered");
  }

  /** Notes how far the file has come. One that starts over brings nothing new until it is past that. */
  noteFile(position: FilePosition | undefined): void {
    if (position && position.bytes >= (this.#position?.bytes ?? 0)) this.#position = position;
  }

  /** How far the file had come when a chunk was published. `undefined` if its length is not known. */
  fileAt(index: number): FilePosition | undefined {
    return this.#positions[index];
  }

  /** Bytes published so far. */
  get size(): number {
    return this.digests.length === 0 ? 0 : (this.digests.length - 1) * this.#chunkBytes + this.#lastLength;
  }

  lengthOf(index: number): number {
    return index === this.digests.length - 1 ? this.#lastLength : this.#chunkBytes;
  }
}
