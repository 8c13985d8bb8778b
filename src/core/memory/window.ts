/**
 * The chunks of one running transfer. A chunk is published when it is received and hashed. It stays in memory while somebody needs it. Any
 * number of cursors read the chunks, each at its own pace.
 */

import type { ChunkDigests } from "../digest.ts";
import { ImageChangedError } from "../errors.ts";
import type { MemoryBudget } from "./budget.ts";
import { ChunkBuffers } from "./chunk-buffers.ts";

/** A published chunk as a cursor gets it. */
export interface WindowChunk {
  readonly index: number;
  readonly digest: string | null;
  readonly length: number;
  /** The cursor's own copy. `undefined` if the chunk is no longer in memory. A hole is never in memory. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

/** One reader's place in the window. */
export interface Cursor {
  /** The next chunk, as soon as there is one; `undefined` at the end; rejects with the transfer's failure. */
  next(): Promise<WindowChunk | undefined>;
  close(): void;
}

/**
 * - `writing`: it is being written to the store, so it must stay
 * - `stored`: the store has it, so it may go at any time
 * - `unstored`: memory has the only copy, so it stays while readers may want it
 */
type Residence = "writing" | "stored" | "unstored";

/** How far the upstream's file (the `.gz`, say) had come, of how many bytes. */
export interface FilePosition {
  readonly bytes: number;
  readonly totalBytes: number;
}

interface Resident {
  readonly bytes: Uint8Array<ArrayBuffer>;
  residence: Residence;
}

interface Place {
  position: number;
  isWaiting: boolean;
  /** Set if the cursor was given a chunk that turned out to be wrong. */
  failure?: ImageChangedError;
}

export class TransferWindow {
  chunkBytes: number;
  readonly digests: (string | null)[] = [];
  /** For each published chunk, how far the file had come by then. */
  readonly #positions: (FilePosition | undefined)[] = [];
  #position: FilePosition | undefined;
  /** Published, but not (or not yet) in the store; in order. */
  readonly #unstored = new Set<number>();
  readonly #residents = new Map<number, Resident>();
  readonly #places = new Set<Place>();
  readonly #buffers: ChunkBuffers;
  readonly #expected: ChunkDigests;
  #lastLength: number;
  #end: { readonly failure: unknown } | { readonly failure?: never } | undefined;
  #waiters: Array<() => void> = [];
  /** Digests of chunks that were taken back, by index. A reader that has such a chunk fails if the right one differs. */
  readonly #takenBack = new Map<number, string | null>();

  /** `expected`: digests that the first chunks must have, because a reader already has some of them. */
  constructor(chunkBytes: number, memory: MemoryBudget, expected: ChunkDigests = []) {
    this.chunkBytes = chunkBytes;
    this.#lastLength = chunkBytes;
    this.#expected = expected;
    this.#buffers = new ChunkBuffers(memory, () => this.#dropOne());
  }

  /** Takes over another transfer's chunk size, where nothing depends on ours yet. */
  resize(chunkBytes: number): boolean {
    if (this.digests.length > 0 || this.#expected.length > 0 || this.#places.size > 0) return false;
    this.chunkBytes = chunkBytes;
    this.#lastLength = chunkBytes;
    return true;
  }

  /** Resolves with a buffer for one more chunk, as soon as there is memory. Rejects if nobody will want it. */
  async room(): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      if (this.#end?.failure) throw this.#end.failure;
      const buffer = this.#buffers.take(this.chunkBytes);
      if (buffer) return buffer;
      if (!this.#dropOne()) await this.#change();
    }
  }

  /** Takes back the buffer of a chunk that was not published after all. */
  giveBack(): void {
    this.#buffers.forget(this.chunkBytes);
    this.#changed();
  }

  /**
   * Adds the next chunk, or compares a chunk that comes again with its known digest. Returns whether it must be stored.
   * @throws {ImageChangedError} `IMAGE_CHANGED`
   */
  publish(
    index: number,
    digest: string | null,
    bytes: Uint8Array<ArrayBuffer>,
    residence: Residence,
  ): boolean {
    const isNew = this.#append(index, digest, bytes.length);
    if (isNew && digest !== null) this.#unstored.add(index);
    if (isNew && digest !== null) this.#residents.set(index, { bytes, residence });
    else this.#discard(bytes);
    this.#changed();
    return isNew && digest !== null && residence === "writing";
  }

  /**
   * Adds a chunk that the store already has, or compares it with what is known.
   * @throws {ImageChangedError} `IMAGE_CHANGED`
   */
  adopt(index: number, digest: string | null, length: number): void {
    if (this.#append(index, digest, length)) this.#changed();
  }

  /** Settles when more than so many chunks from the first on are in the store, or when no more come. */
  async storedBeyond(count: number): Promise<void> {
    while (this.storedCount <= count && !this.#end) await this.#change();
  }

  /** How many chunks from the first on are in the store. */
  get storedCount(): number {
    const [first = this.digests.length] = this.#unstored;
    return first;
  }

  /** Returns whether the chunk is new. */
  #append(index: number, digest: string | null, length: number): boolean {
    const isPublished = index < this.digests.length;
    const known = isPublished ? this.digests[index] : this.#expected[index];
    // All holes have the same digest, however long they are.
    const isOtherLength = isPublished && length !== this.#lengthOf(index);
    if ((known !== undefined && known !== digest) || isOtherLength) {
      throw new ImageChangedError(`The upstream's bytes of this version changed (chunk ${index})`);
    }
    if (index !== this.digests.length) return false;
    this.#tellMisled(index, digest);
    this.digests.push(digest);
    this.#positions.push(this.#position);
    this.#lastLength = length;
    return true;
  }

  /** Forgets all chunks from an index on, because they were wrong; nothing may be on its way to the store. */
  takeBack(index: number): void {
    for (let last = this.digests.length - 1; last >= index; last--) {
      // Readers may have the chunk that was delivered first.
      if (!this.#takenBack.has(last)) this.#takenBack.set(last, this.digests[last]!);
      const resident = this.#residents.get(last);
      this.#residents.delete(last);
      this.#unstored.delete(last);
      if (resident) this.#discard(resident.bytes);
    }
    this.digests.length = Math.min(index, this.digests.length);
    this.#positions.length = this.digests.length;
    this.#lastLength = this.chunkBytes;
    this.#changed();
  }

  #tellMisled(index: number, digest: string | null): void {
    const before = this.#takenBack.get(index);
    if (before === undefined || before === digest) return;
    for (const place of this.#places) {
      if (place.position > index)
        place.failure = new ImageChangedError(
          `Chunk ${index} was delivered before the check of its part failed, and its bytes are different now`,
        );
    }
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

  /** Whether all chunks are published, so that `size` is the image's. */
  get isWhole(): boolean {
    return this.#end !== undefined && !("failure" in this.#end);
  }

  /** A chunk's write is done, or has failed. */
  settle(index: number, residence: "stored" | "unstored"): void {
    if (residence === "stored") this.#unstored.delete(index);
    const resident = this.#residents.get(index);
    // A write that was given up may still read its buffer, so a copy replaces it.
    if (resident && residence === "unstored")
      this.#residents.set(index, { bytes: resident.bytes.slice(), residence });
    else if (resident) resident.residence = residence;
    this.#changed();
  }

  /** The store is about to lose its chunks. Memory then has the only copy of those that it holds. */
  forgetStore(): void {
    for (const resident of this.#residents.values())
      if (resident.residence === "stored") resident.residence = "unstored";
  }

  /**
   * Whether all readers wait for the next chunk while the store has not taken the earlier ones. One that lags behind is not held up: it
   * lives on what the store has.
   */
  get isHeldUpByStore(): boolean {
    const isWriting = [...this.#residents.values()].some(({ residence }) => residence === "writing");
    return isWriting && this.#places.size > 0 && [...this.#places].every(({ isWaiting }) => isWaiting);
  }

  /** Nobody waits for the store any more: what is being written stays in memory for those who have not read it. */
  abandonWrites(): void {
    for (const [index, { residence }] of this.#residents) {
      if (residence !== "writing") continue;
      if ([...this.#places].some(({ position }) => position <= index)) {
        this.settle(index, "unstored");
        continue;
      }
      this.#residents.delete(index);
      this.#buffers.forget(this.chunkBytes); // the write may still be reading it
    }
    this.#changed();
  }

  /** Bytes published so far. */
  get size(): number {
    return this.digests.length === 0 ? 0 : (this.digests.length - 1) * this.chunkBytes + this.#lastLength;
  }

  /** Settles when more than so many chunks are published (`true`) or no more come (`false`). */
  async hasMoreThan(count: number): Promise<boolean> {
    while (this.digests.length <= count && !this.#end) await this.#change();
    return this.digests.length > count;
  }

  /** No more chunks come. Readers still get those that were published. */
  end(): void {
    this.#end ??= {};
    this.#releaseIfLeft();
    this.#changed();
  }

  /** Readers get the failure at once. */
  fail(failure: unknown): void {
    this.#end ??= { failure };
    this.#releaseIfLeft();
    this.#changed();
  }

  /** Opens a cursor at a chunk. */
  open(position: number): Cursor {
    const place: Place = { position, isWaiting: false };
    this.#places.add(place);
    return {
      next: () => this.#next(place),
      close: () => {
        this.#places.delete(place);
        this.#releaseIfLeft();
        this.#changed();
      },
    };
  }

  async #next(place: Place): Promise<WindowChunk | undefined> {
    try {
      for (;;) {
        if (this.#end?.failure) throw this.#end.failure;
        if (place.failure) throw place.failure;
        if (place.position < this.digests.length) return this.#hand(place);
        if (this.#end) return undefined;
        this.#beginToWait(place);
        await this.#change();
      }
    } finally {
      place.isWaiting = false;
    }
  }

  /** Called once, not at each turn. Otherwise two waiting cursors would wake each other for ever. */
  #beginToWait(place: Place): void {
    if (place.isWaiting) return;
    place.isWaiting = true;
    this.#changed(); // room() may now forget what others lag behind with
  }

  #hand(place: Place): WindowChunk {
    const index = place.position++;
    const resident = this.#residents.get(index);
    const bytes = resident && this.#takeOrCopy(index, resident);
    this.#changed();
    return { index, digest: this.digests[index]!, length: this.#lengthOf(index), bytes };
  }

  #lengthOf(index: number): number {
    return index === this.digests.length - 1 ? this.#lastLength : this.chunkBytes;
  }

  /** The buffer itself if nobody else uses it any more, otherwise a copy. */
  #takeOrCopy(index: number, resident: Resident): Uint8Array<ArrayBuffer> {
    const isShared = [...this.#places].some(({ position }) => position <= index);
    if (resident.residence === "writing" || isShared) return resident.bytes.slice();
    this.#residents.delete(index);
    this.#buffers.forget(this.chunkBytes);
    return resident.bytes;
  }

  /** Makes room: removes the oldest chunk that may go. */
  #dropOne(): boolean {
    for (const [index, { residence, bytes }] of this.#residents) {
      if (residence === "writing" || (residence === "unstored" && !this.#mayForget(index))) continue;
      this.#residents.delete(index);
      this.#discard(bytes);
      return true;
    }
    return false;
  }

  /** The only copy may go if all readers have it, or if a reader at the head waits for room. The other readers then lag behind. */
  #mayForget(index: number): boolean {
    const places = [...this.#places];
    return places.every(({ position }) => position > index) || places.some(({ isWaiting }) => isWaiting);
  }

  /** A short last chunk has a buffer of its own, not one of ours. */
  #discard(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length === this.chunkBytes) this.#buffers.recycle(bytes);
    else this.#buffers.forget(this.chunkBytes);
  }

  #releaseIfLeft(): void {
    if (!this.#end || this.#places.size > 0) return;
    this.#residents.clear();
    this.#buffers.close();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #changed(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const proceed of waiters) proceed();
  }
}
