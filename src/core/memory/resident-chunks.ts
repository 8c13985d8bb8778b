/** Where the chunks of a running transfer are: in memory, in the store or in both. The only copy stays in memory while a reader needs it. */

import type { MemoryBudget } from "./budget.ts";
import { ChunkBuffers } from "./chunk-buffers.ts";
import type { Places } from "./places.ts";

/**
 * - `writing`: it is being written to the store, so it must stay
 * - `stored`: the store has it, so it may go at any time
 * - `unstored`: memory has the only copy, so it stays while readers may want it
 */
export type Residence = "writing" | "stored" | "unstored";

interface Resident {
  readonly bytes: Uint8Array<ArrayBuffer>;
  residence: Residence;
}

export class ResidentChunks {
  readonly #list: { readonly chunkBytes: number };
  readonly #places: Places;
  readonly #residents = new Map<number, Resident>();
  /** Published, but not (or not yet) in the store; in order. */
  readonly #unstored = new Set<number>();
  readonly #buffers: ChunkBuffers;

  constructor(list: { readonly chunkBytes: number }, places: Places, memory: MemoryBudget) {
    this.#list = list;
    this.#places = places;
    this.#buffers = new ChunkBuffers(memory, () => this.dropOne());
  }

  /** A buffer for one more chunk. `undefined` if there is no memory for one. */
  takeBuffer(): Uint8Array<ArrayBuffer> | undefined {
    return this.#buffers.take(this.#list.chunkBytes);
  }

  /** Gives up a buffer that is somebody else's now. */
  forgetBuffer(): void {
    this.#buffers.forget(this.#list.chunkBytes);
  }

  /** Takes back bytes that nobody uses any more. A short last chunk has a buffer of its own, not one of ours. */
  discard(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length === this.#list.chunkBytes) this.#buffers.recycle(bytes);
    else this.forgetBuffer();
  }

  keep(index: number, bytes: Uint8Array<ArrayBuffer>, residence: Residence): void {
    this.#unstored.add(index);
    this.#residents.set(index, { bytes, residence });
  }

  /** Forgets a chunk, because it was wrong. */
  remove(index: number): void {
    const resident = this.#residents.get(index);
    this.#residents.delete(index);
    this.#unstored.delete(index);
    if (resident) this.discard(resident.bytes);
  }

  /** The first chunk that is not in the store. */
  get firstUnstored(): number | undefined {
    const [first] = this.#unstored;
    return first;
  }

  /** A chunk's write is done, or has failed. */
  settle(index: number, residence: "stored" | "unstored"): void {
    if (residence === "stored") this.#unstored.delete(index);
    const resident = this.#residents.get(index);
    // A write that was given up may still read its buffer, so a copy replaces it.
    if (resident && residence === "unstored")
      this.#residents.set(index, { bytes: resident.bytes.slice(), residence });
    else if (resident) resident.residence = residence;
  }

  /** The store is about to lose its chunks. Memory then has the only copy of those that it holds. */
  forgetStore(): void {
    for (const resident of this.#residents.values())
      if (resident.residence === "stored") resident.residence = "unstored";
  }

  get isWriting(): boolean {
    return [...this.#residents.values()].some(({ residence }) => residence === "writing");
  }

  /** Nobody waits for the store any more: what is being written stays in memory for those who have not read it. */
  abandonWrites(): void {
    for (const [index, { residence }] of this.#residents) {
      if (residence !== "writing") continue;
      if (this.#places.areBefore(index)) {
        this.settle(index, "unstored");
        continue;
      }
      this.#residents.delete(index);
      this.forgetBuffer(); // the write may still be reading it
    }
  }

  /** A chunk's bytes for one reader: the buffer itself if nobody else uses it any more, otherwise a copy. */
  take(index: number): Uint8Array<ArrayBuffer> | undefined {
    const resident = this.#residents.get(index);
    if (!resident) return undefined;
    if (resident.residence === "writing" || this.#places.areBefore(index)) return resident.bytes.slice();
    this.#residents.delete(index);
    this.forgetBuffer();
    return resident.bytes;
  }

  /** A chunk's bytes for a caller that is no reader of it. */
  copyOf(index: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#residents.get(index)?.bytes.slice();
  }

  /** Makes room: removes the oldest chunk that may go. */
  dropOne(): boolean {
    for (const [index, { residence, bytes }] of this.#residents) {
      if (residence === "writing" || (residence === "unstored" && !this.#mayForget(index))) continue;
      this.#residents.delete(index);
      this.discard(bytes);
      return true;
    }
    return false;
  }

  /** Gives all memory back. */
  release(): void {
    this.#residents.clear();
    this.#buffers.close();
  }

  /** The only copy may go if all readers have it, or if a reader at the head waits for room. The other readers then lag behind. */
  #mayForget(index: number): boolean {
    return !this.#places.areBefore(index) || this.#places.isAnyWaiting;
  }
}
