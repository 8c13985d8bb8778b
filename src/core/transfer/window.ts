/**
 * The chunks of one running transfer: published once received and hashed, kept in memory while somebody needs them there, and
 * read by any number of cursors, each at its own pace.
 */
import { ImageChangedError } from "../errors.ts";
import type { ChunkDigests } from "../store/manifest.ts";
import type { MemoryAccount, MemoryBudget } from "./memory-budget.ts";

/** A published chunk as a cursor gets it. */
export interface WindowChunk {
  readonly index: number;
  readonly digest: string | null;
  readonly length: number;
  /** The cursor's own copy; `undefined` where it is no longer (or, for a hole, never was) in memory. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

/** One reader's place in the window. */
export interface Cursor {
  /** The next chunk, as soon as there is one; `undefined` at the end; rejects with the transfer's failure. */
  next(): Promise<WindowChunk | undefined>;
  close(): void;
}

/**
 * - `writing`: on its way to the store, must stay
 * - `stored`: may go at any time, the store has it
 * - `unstored`: memory has the only copy, stays while readers may want it
 */
type Residence = "writing" | "stored" | "unstored";

interface Resident {
  readonly bytes: Uint8Array<ArrayBuffer>;
  residence: Residence;
}

interface Place {
  position: number;
  isWaiting: boolean;
}

/** Chunk buffers that one transfer keeps at the most: enough to overlap hashing and writing. */
const maxResidentChunks = 8;

export class TransferWindow {
  readonly chunkBytes: number;
  readonly digests: (string | null)[] = [];
  readonly #residents = new Map<number, Resident>();
  readonly #places = new Set<Place>();
  readonly #account: MemoryAccount;
  readonly #expected: ChunkDigests;
  #lastLength: number;
  #end: { readonly failure: unknown } | { readonly failure?: never } | undefined;
  #waiters: Array<() => void> = [];

  /** `expected`: what the chunks must turn out to be, as far as it goes, because somebody already has some of them. */
  constructor(chunkBytes: number, memory: MemoryBudget, expected: ChunkDigests = []) {
    this.chunkBytes = chunkBytes;
    this.#lastLength = chunkBytes;
    this.#expected = expected;
    this.#account = memory.open(() => this.#dropOne());
  }

  /** Settles when there is memory for one more chunk, and takes it. Rejects when nobody is going to want it. */
  async room(): Promise<void> {
    for (;;) {
      if (this.#end?.failure) throw this.#end.failure;
      const isFull = this.#account.heldBytes >= maxResidentChunks * this.chunkBytes;
      if (!isFull && this.#account.tryTake(this.chunkBytes)) return;
      if (!this.#dropOne()) await this.#change();
    }
  }

  /** Gives back the memory of a chunk that was not published after all. */
  giveBack(): void {
    this.#account.give(this.chunkBytes);
    this.#changed();
  }

  /**
   * Adds the next chunk, or compares one that comes again with what is known of it. Says whether it is to be stored.
   * @throws {ImageChangedError} `IMAGE_CHANGED`
   */
  publish(
    index: number,
    digest: string | null,
    bytes: Uint8Array<ArrayBuffer>,
    residence: Residence,
  ): boolean {
    const known = index < this.digests.length ? this.digests[index] : this.#expected[index];
    if (known !== undefined && known !== digest) {
      throw new ImageChangedError(`The upstream's bytes changed under the same version (chunk ${index})`);
    }
    const isNew = index === this.digests.length;
    if (isNew) {
      this.digests.push(digest);
      this.#lastLength = bytes.length;
    }
    if (isNew && digest !== null) this.#residents.set(index, { bytes, residence });
    else this.#account.give(this.chunkBytes);
    this.#changed();
    return isNew && digest !== null && residence === "writing";
  }

  /** A chunk's write is done, or has failed. */
  settle(index: number, residence: "stored" | "unstored"): void {
    const resident = this.#residents.get(index);
    if (resident) resident.residence = residence;
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
    for (;;) {
      if (this.#end?.failure) throw this.#end.failure;
      if (place.position < this.digests.length) return this.#hand(place);
      if (this.#end) return undefined;
      place.isWaiting = true;
      await this.#change();
      place.isWaiting = false;
    }
  }

  #hand(place: Place): WindowChunk {
    const index = place.position++;
    const resident = this.#residents.get(index);
    const bytes = resident && this.#takeOrCopy(index, resident);
    this.#changed();
    const isLast = index === this.digests.length - 1;
    return {
      index,
      digest: this.digests[index]!,
      length: isLast ? this.#lastLength : this.chunkBytes,
      bytes,
    };
  }

  /** The very buffer where nobody else uses it any more, else a copy. */
  #takeOrCopy(index: number, resident: Resident): Uint8Array<ArrayBuffer> {
    const isShared = [...this.#places].some(({ position }) => position <= index);
    if (resident.residence === "writing" || isShared) return resident.bytes.slice();
    this.#drop(index);
    return resident.bytes;
  }

  /** Makes room by the oldest chunk that may go. */
  #dropOne(): boolean {
    for (const [index, { residence }] of this.#residents) {
      if (residence === "stored" || (residence === "unstored" && this.#mayForget(index))) {
        this.#drop(index);
        return true;
      }
    }
    return false;
  }

  /** The only copy goes when all have it, or when it holds up a reader who waits at the head: the others then lag. */
  #mayForget(index: number): boolean {
    const places = [...this.#places];
    return places.every(({ position }) => position > index) || places.some(({ isWaiting }) => isWaiting);
  }

  #drop(index: number): void {
    this.#residents.delete(index);
    this.#account.give(this.chunkBytes);
  }

  #releaseIfLeft(): void {
    if (!this.#end || this.#places.size > 0) return;
    this.#residents.clear();
    this.#account.close();
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
