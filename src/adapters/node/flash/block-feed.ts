/**
 * Cuts an image into blocks that several devices write, each at its own pace. Memory has a few blocks. If they are all waiting for the
 * slowest devices while another device has nothing to do, the slow ones are left behind and have to read the image themselves.
 */
import { detachIfWhole } from "../../../core/memory/free.ts";
import { dataRuns } from "../save/data-runs.ts";
import type { Block } from "./device-thread.ts";

/** How an image is cut. */
export interface FeedOptions {
  readonly blockBytes: number;
  /** Blocks in memory, besides the first one of the image: that stays. */
  readonly blocks: number;
  /** Index of the first block that the pieces hold. */
  readonly from: number;
  readonly isZeroSkipped: boolean;
  /** Whether a reader that is left behind can get the rest in another way. */
  readonly mayLeaveBehind: boolean;
}

/** What one device reads. */
export interface BlockReader {
  /** The next block, for as long as `next` is not called again. `undefined` at the end, or once `leftBehindAt` is set. */
  next(): Promise<Block | undefined>;
  /** Index of the first block that it has not got and must get in another way. */
  readonly leftBehindAt: number | undefined;
  close(): void;
}

interface Place {
  /** Block that it is at, or waits for. */
  position: number;
  isWaiting: boolean;
  leftBehindAt?: number;
}

const pageBytes = 64 * 1024; // of WebAssembly memory

export class BlockFeed {
  /** Settles when all is cut, or when nobody reads any more. Rejects with the image's failure. */
  readonly ended: Promise<void>;
  readonly #options: FeedOptions;
  readonly #memory: SharedArrayBuffer;
  readonly #freeOffsets: number[];
  readonly #blocks = new Map<number, Block>();
  readonly #places = new Set<Place>();
  #count: number;
  #isWhole = false;
  #failure: { readonly cause: unknown } | undefined;
  #waiters: Array<() => void> = [];

  /** Begins to read at once: open the readers before anything else runs. */
  constructor(pieces: AsyncIterable<Uint8Array>, options: FeedOptions) {
    this.#options = options;
    this.#count = options.from;
    const { blockBytes, blocks } = options;
    const pages = ((blocks + 1) * blockBytes) / pageBytes;
    // It begins at a page, which direct writes need.
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.#memory = memory.buffer as unknown as SharedArrayBuffer;
    this.#freeOffsets = Array.from({ length: blocks + 1 }, (_, index) => index * blockBytes);
    this.ended = this.#cut(pieces).catch((cause: unknown) => {
      this.#failure = { cause };
      this.#changed();
      throw cause;
    });
    this.ended.catch(() => undefined); // the readers say so
  }

  open(): BlockReader {
    const place: Place = { position: this.#options.from - 1, isWaiting: false };
    this.#places.add(place);
    return {
      next: () => this.#next(place),
      get leftBehindAt() {
        return place.leftBehindAt;
      },
      close: () => this.#forget(place),
    };
  }

  async #next(place: Place): Promise<Block | undefined> {
    place.position += 1;
    place.isWaiting = true;
    this.#release();
    try {
      for (;;) {
        if (this.#failure) throw this.#failure.cause;
        if (place.leftBehindAt !== undefined) return this.#forget(place);
        const block = this.#blocks.get(place.position);
        if (block) return block;
        if (this.#isWhole) return undefined;
        await this.#change();
      }
    } finally {
      place.isWaiting = false;
    }
  }

  #forget(place: Place): undefined {
    this.#places.delete(place);
    this.#release();
  }

  async #cut(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const { blockBytes } = this.#options;
    let block: Uint8Array<SharedArrayBuffer> | undefined;
    let filled = 0;
    for await (const piece of pieces) {
      for (let taken = 0; taken < piece.length; ) {
        block ??= await this.#room();
        if (!block) return; // and with it the loop, which cancels the stream
        const part = piece.subarray(taken, taken + blockBytes - filled);
        block.set(part, filled);
        taken += part.length;
        filled += part.length;
        if (filled < blockBytes) continue;
        this.#publish(block);
        [block, filled] = [undefined, 0];
      }
      detachIfWhole(piece as Uint8Array<ArrayBuffer>); // a stream's pieces are its reader's alone
    }
    if (block) this.#publish(block.subarray(0, filled));
    this.#isWhole = true;
    this.#changed();
  }

  #publish(bytes: Uint8Array<SharedArrayBuffer>): void {
    const index = this.#count++;
    const runs = this.#options.isZeroSkipped ? dataRuns(bytes) : [{ start: 0, end: bytes.length }];
    this.#blocks.set(index, { index, position: index * this.#options.blockBytes, bytes, runs });
    this.#changed();
  }

  /** `undefined` once nobody reads any more. */
  async #room(): Promise<Uint8Array<SharedArrayBuffer> | undefined> {
    for (;;) {
      if (this.#readers.length === 0) return undefined;
      const offset = this.#freeOffsets.pop();
      if (offset !== undefined) return new Uint8Array(this.#memory, offset, this.#options.blockBytes);
      if (!this.#leaveBehind()) await this.#change();
    }
  }

  get #readers(): Place[] {
    return [...this.#places].filter(({ leftBehindAt }) => leftBehindAt === undefined);
  }

  /** Gives up those who hold the oldest block, if another one has written all there is. */
  #leaveBehind(): boolean {
    const readers = this.#readers;
    const isSomeoneIdle = readers.some(({ position, isWaiting }) => isWaiting && position === this.#count);
    if (!this.#options.mayLeaveBehind || !isSomeoneIdle) return false;
    const oldest = Math.min(...readers.map(({ position }) => position));
    // Its block is in use until it comes for the next one.
    const slow = readers.filter(
      ({ position, leftBehindAt }) => position === oldest && leftBehindAt === undefined,
    );
    for (const place of slow) place.leftBehindAt = oldest + 1;
    return this.#release();
  }

  /** Takes back what nobody needs. The image's first block is needed to the end. */
  #release(): boolean {
    const needed = new Set(
      [...this.#places]
        .filter(({ leftBehindAt }) => leftBehindAt !== undefined)
        .map(({ position }) => position),
    );
    const least = Math.min(this.#count, ...this.#readers.map(({ position }) => position));
    let isReleased = false;
    for (const [index, { bytes }] of this.#blocks) {
      if (index === 0 || index >= least || needed.has(index)) continue;
      this.#blocks.delete(index);
      this.#freeOffsets.push(bytes.byteOffset);
      isReleased = true;
    }
    this.#changed();
    return isReleased;
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
