/** Cuts raw bytes into chunks, hashes several at the same time, publishes them in order and writes them to the store. */

import { StoreError } from "../errors.ts";
import type { TransferWindow } from "../memory/window.ts";
import { digestChunk } from "../store/chunk-store.ts";
import type { Hasher } from "../types.ts";
import type { DownloadSink } from "../upstream/job.ts";
import type { ChunkWriter } from "./chunk-writer.ts";
import { createHoldUp } from "./hold-up.ts";

/** A sink into a window, and into a store for as long as that works. */
export interface ChunkSink extends DownloadSink {
  /** Publishes the last, short chunk; settles when all are published and no write is under way. */
  finish(): Promise<void>;
  /** Stops writing; what is being written goes on. */
  stopStoring(): void;
  /** Settles when no write is under way. */
  settled(): Promise<void>;
}

/**
 * Makes one. `onChunk` is called with one chunk after the other, also with those that come again; their bytes are lent to it until it settles.
 * Without a `writer`, or once it has refused a chunk, chunks stay in memory until the readers have them.
 */
export function createChunkSink(
  window: TransferWindow,
  writer: ChunkWriter | undefined,
  hash: Hasher,
  storeTimeoutMs: number,
  onStoreFault: (cause: unknown) => void,
  onChunk: (index: number, chunk: Uint8Array) => Promise<void> = async () => undefined,
): ChunkSink {
  const writes = new Set<Promise<void>>();
  let isStoring = writer !== undefined;
  let buffer: Uint8Array<ArrayBuffer> | undefined;
  let filledBytes = 0;
  let nextIndex = 0;
  let publishing: Promise<void> = Promise.resolve();
  let failure: { readonly cause: unknown } | undefined;

  const giveUpStoring = () => {
    if (!isStoring) return false;
    isStoring = false;
    writes.clear(); // nobody waits for them any more
    window.abandonWrites();
    onStoreFault(new StoreError("The store delayed the delivery by more time than the download itself took"));
    return false;
  };
  const holdUp = createHoldUp(
    storeTimeoutMs,
    () => isStoring && window.isHeldUpByStore,
    () => writer?.stopEncoding() || giveUpStoring(),
  );

  const startWrite = (index: number, digest: string, bytes: Uint8Array<ArrayBuffer>) => {
    const write = (writer as ChunkWriter)
      .write(digest, bytes)
      .catch((cause: unknown) => {
        if (isStoring) onStoreFault(cause);
        return false;
      })
      .then((isWritten) => {
        isStoring &&= isWritten;
        window.settle(index, isWritten ? "stored" : "unstored");
      });
    writes.add(write);
    void write.finally(() => writes.delete(write));
  };

  const seal = (chunk: Uint8Array<ArrayBuffer>) => {
    const index = nextIndex++;
    const digesting = digestChunk(chunk, hash);
    digesting.catch(() => undefined); // it is looked at when its turn comes
    const previous = publishing;
    publishing = (async () => {
      await previous;
      const { digest, bytes } = await digesting;
      await onChunk(index, bytes);
      const isToStore = window.publish(index, digest, bytes, isStoring ? "writing" : "unstored");
      if (isToStore) startWrite(index, digest as string, bytes);
    })();
    publishing.catch((cause: unknown) => {
      failure ??= { cause };
      window.giveBack();
    });
  };

  return {
    begin(fromByte) {
      if (buffer) window.giveBack();
      buffer = undefined;
      nextIndex = fromByte / window.chunkBytes;
      publishing = publishing.catch(() => undefined);
    },
    async write(piece) {
      for (let taken = 0; taken < piece.length; ) {
        if (failure) throw failure.cause;
        if (!buffer) {
          buffer = await holdUp.during(window.room());
          filledBytes = 0;
        }
        const part = piece.subarray(taken, taken + buffer.length - filledBytes);
        buffer.set(part, filledBytes);
        filledBytes += part.length;
        taken += part.length;
        if (filledBytes < buffer.length) continue;
        seal(buffer);
        buffer = undefined;
      }
    },
    mark() {
      const head = buffer?.slice(0, filledBytes) ?? new Uint8Array(0);
      return { chunk: nextIndex, head };
    },
    async rewind({ chunk, head }, how) {
      this.begin(chunk * window.chunkBytes);
      await this.settled();
      if (how === "replace") window.takeBack(chunk);
      if (head.length > 0) await this.write(head);
    },
    noteFile: (position) => window.noteFile(position),
    async finish() {
      if (buffer) seal(buffer.slice(0, filledBytes));
      buffer = undefined;
      await publishing;
      window.assertEndsAfter(nextIndex);
      await this.settled();
    },
    stopStoring() {
      isStoring = false;
    },
    async settled() {
      await publishing.catch(() => undefined); // a chunk that is being hashed now may still be written
      while (writes.size > 0) await Promise.all(writes);
    },
  };
}
