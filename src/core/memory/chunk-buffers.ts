/**
 * The chunk buffers of one transfer, within the memory budget. Buffers are used again: a new buffer of 4 MiB for every chunk cost more
 * (page faults, garbage collection) than hashing the chunk.
 */
import { chunksWithin, type MemoryAccount, type MemoryBudget } from "./budget.ts";

/** Bytes of buffers in a transfer: enough to overlap hashing and writing. A slow reader makes it use them all. */
const ampleBytes = 16 * 1024 * 1024;
/** At least one to fill, one to hash and two to write; at most what a store takes at a time. */
const bufferLimits = [4, 8] as const;

export class ChunkBuffers {
  readonly #account: MemoryAccount;
  #spare: Uint8Array<ArrayBuffer>[] = [];

  /** `reclaim` is called when others are short of memory: recycle or forget something and say `true`, or say `false`. */
  constructor(memory: MemoryBudget, reclaim: () => boolean) {
    this.#account = memory.open(() => {
      if (this.#giveSpare()) return true;
      const isFreed = reclaim();
      this.#giveSpare(); // the buffer that was recycled just now
      return isFreed;
    });
  }

  /** A buffer with anything in it; `undefined` if there is no memory for one. */
  take(chunkBytes: number): Uint8Array<ArrayBuffer> | undefined {
    const spare = this.#spare.pop();
    if (spare?.length === chunkBytes) return spare;
    if (spare) this.#account.give(spare.length);
    const maxBuffers = chunksWithin(ampleBytes, chunkBytes, bufferLimits);
    const isFull = this.#account.heldBytes >= maxBuffers * chunkBytes;
    return !isFull && this.#account.tryTake(chunkBytes) ? new Uint8Array(chunkBytes) : undefined;
  }

  /** Takes back a buffer that nobody uses any more. */
  recycle(buffer: Uint8Array<ArrayBuffer>): void {
    this.#spare.push(buffer);
  }

  /** Gives up a buffer that is somebody else's now, or may still be used by a write that never ended. */
  forget(chunkBytes: number): void {
    this.#account.give(chunkBytes);
  }

  close(): void {
    this.#spare = [];
    this.#account.close();
  }

  #giveSpare(): boolean {
    const spare = this.#spare.pop();
    if (spare) this.#account.give(spare.length);
    return spare !== undefined;
  }
}
