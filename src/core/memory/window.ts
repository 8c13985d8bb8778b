/**
 * The chunks of one running transfer. A chunk is published when it is received and hashed. It stays in memory while somebody needs it. Any
 * number of cursors read the chunks, each at its own pace.
 */

import type { ChunkDigests } from "../digest.ts";
import type { MemoryBudget } from "./budget.ts";
import { ChunkList, type FilePosition } from "./chunk-list.ts";
import { type Cursor, readFrom, type WindowChunk, type WindowView } from "./cursor.ts";
import { Places } from "./places.ts";
import { type Residence, ResidentChunks } from "./resident-chunks.ts";

export class TransferWindow {
  readonly #list: ChunkList;
  readonly #residents: ResidentChunks;
  readonly #places = new Places();
  #end: { readonly failure: unknown } | { readonly failure?: never } | undefined;
  #waiters: Array<() => void> = [];
  /** Buffers that are being filled or hashed. */
  #buffersOut = 0;
  /** There is no room, and nothing has changed since that was seen. */
  #isFull = false;

  /** `expected`: digests that the first chunks must have, because a reader already has some of them. */
  constructor(chunkBytes: number, memory: MemoryBudget, expected: ChunkDigests = []) {
    this.#list = new ChunkList(chunkBytes, expected);
    this.#residents = new ResidentChunks(this.#list, this.#places, memory);
  }

  get chunkBytes(): number {
    return this.#list.chunkBytes;
  }

  get digests(): ChunkDigests {
    return this.#list.digests;
  }

  /** Bytes published so far. */
  get size(): number {
    return this.#list.size;
  }

  /** Takes over another transfer's chunk size, if nothing depends on ours yet. */
  resize(chunkBytes: number): boolean {
    return this.#places.count === 0 && this.#list.resize(chunkBytes);
  }

  /** Resolves with a buffer for one more chunk, as soon as there is memory. Rejects if nobody will want it. */
  async room(): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      if (this.#end?.failure) throw this.#end.failure;
      const buffer = this.#residents.takeBuffer();
      if (buffer) {
        this.#buffersOut += 1;
        return buffer;
      }
      if (!this.#residents.dropOne()) await this.#changeWhileFull();
    }
  }

  /** Those who look for a chunk that may not come are told. */
  #changeWhileFull(): Promise<void> {
    if (this.#places.isAnyLooking) this.#changed();
    this.#isFull = true;
    return this.#change();
  }

  /** Whether no chunk comes before a reader moves on. */
  get #isHeldUpByReaders(): boolean {
    return this.#isFull && this.#buffersOut === 0 && !this.#residents.isWriting;
  }

  /** Takes back the buffer of a chunk that was not published after all. */
  giveBack(): void {
    this.#buffersOut -= 1;
    this.#residents.forgetBuffer();
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
    const isToKeep = this.#append(index, digest, bytes.length) && digest !== null;
    this.#buffersOut -= 1;
    if (isToKeep) this.#residents.keep(index, bytes, residence);
    else this.#residents.discard(bytes);
    this.#changed();
    return isToKeep && residence === "writing";
  }

  /**
   * Adds a chunk that the store already has, or compares it with what is known.
   * @throws {ImageChangedError} `IMAGE_CHANGED`
   */
  adopt(index: number, digest: string | null, length: number): void {
    if (this.#append(index, digest, length)) this.#changed();
  }

  #append(index: number, digest: string | null, length: number): boolean {
    const isNew = this.#list.append(index, digest, length);
    if (isNew && this.#list.hadOther(index)) this.#places.failThosePast(index);
    return isNew;
  }

  /** Forgets all chunks from an index on, because they were wrong; nothing may be on its way to the store. */
  takeBack(index: number): void {
    for (let last = this.digests.length - 1; last >= index; last--) this.#residents.remove(last);
    this.#list.takeBack(index);
    this.#changed();
  }

  assertEndsAfter(count: number): void {
    this.#list.assertEndsAfter(count);
  }

  noteFile(position: FilePosition | undefined): void {
    this.#list.noteFile(position);
  }

  fileAt(index: number): FilePosition | undefined {
    return this.#list.fileAt(index);
  }

  /** How many chunks from the first on are in the store. */
  get storedCount(): number {
    return this.#residents.firstUnstored ?? this.digests.length;
  }

  /** Settles when more than so many chunks from the first on are in the store, or when no more come. */
  async storedBeyond(count: number): Promise<void> {
    while (this.storedCount <= count && !this.#end) await this.#change();
  }

  /** A chunk's write is done, or has failed. */
  settle(index: number, residence: "stored" | "unstored"): void {
    this.#residents.settle(index, residence);
    this.#changed();
  }

  /** The store is about to lose its chunks. Memory then has the only copy of those that it holds. */
  forgetStore(): void {
    this.#residents.forgetStore();
  }

  /**
   * Whether all readers wait for the next chunk while the store has not taken the earlier ones. One that lags behind is not held up: it
   * lives on what the store has.
   */
  get isHeldUpByStore(): boolean {
    return this.#residents.isWriting && this.areReadersWaiting;
  }

  /** Whether there are readers, and all of them wait for the next chunk. */
  get areReadersWaiting(): boolean {
    return this.#places.areAllHeldUp;
  }

  /** Nobody waits for the store any more: what is being written stays in memory for those who have not read it. */
  abandonWrites(): void {
    this.#residents.abandonWrites();
    this.#changed();
  }

  /** Whether no more chunks come. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** Whether all chunks are published, so that `size` is the image's. */
  get isWhole(): boolean {
    return this.#end !== undefined && !("failure" in this.#end);
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
  }

  /** Readers get the failure at once. */
  fail(failure: unknown): void {
    this.#end ??= { failure };
    this.#releaseIfLeft();
  }

  /** Opens a cursor at a chunk. */
  open(position: number): Cursor {
    const place = this.#places.add(position);
    const close = () => {
      this.#places.remove(place);
      this.#releaseIfLeft();
    };
    return { ...readFrom(this.#view, place), close };
  }

  readonly #view: WindowView = {
    stateAt: (index) => {
      if (this.#end?.failure) throw this.#end.failure;
      if (index < this.digests.length) return "published";
      return this.#end ? "none" : "to come";
    },
    take: (index) => this.#chunkAt(index, this.#residents.take(index)),
    copy: (index) => this.#chunkAt(index, this.#residents.copyOf(index)),
    isHeldUp: () => this.#isHeldUpByReaders,
    change: () => this.#change(),
    changed: () => this.#changed(),
  };

  #chunkAt(index: number, bytes: WindowChunk["bytes"]): WindowChunk {
    return { index, digest: this.digests[index]!, length: this.#list.lengthOf(index), bytes };
  }

  #releaseIfLeft(): void {
    if (this.#end && this.#places.count === 0) this.#residents.release();
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #changed(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#isFull = false;
    for (const proceed of waiters) proceed();
  }
}
