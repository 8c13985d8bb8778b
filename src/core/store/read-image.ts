/** Reads a stored image's chunks in order, a few ahead of the consumer, as far as memory and the store's pace let it. */
import { chunksWithin, type MemoryBudget } from "../memory/budget.ts";
import { type ChunkPlace, readChunk } from "./chunk-store.ts";
import { chunkLength, type Manifest } from "./manifest.ts";

/** Chunks of an image, one after the other. Each buffer is the caller's own. */
export interface ChunkSource {
  /**
   * The next chunk; `undefined` after the last one.
   * @throws {ChunkUnavailable} if the chunk has to be got in another way.
   */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Releases all that is held. May come before the end. */
  close(): void;
}

/** A chunk is missing or damaged in the store. If the cause is a failure of the store, the chunk could not be read. */
export class ChunkUnavailable extends Error {
  readonly index: number;

  constructor(index: number, options?: ErrorOptions) {
    super(`Chunk ${index} can't be read from the store`, options);
    this.index = index;
  }
}

/** What is read at a time: enough for a store that answers out of order; two streams leave a transfer room in the default budget. */
const readAheadBytes = 24 * 1024 * 1024;
/** Enough to keep a disk and two hashing threads busy, but not more than a server accepts from one client. */
const readAheadLimits = [4, 16] as const;

/** Reads from chunk `from` to chunk `to`, exclusive. */
export function readImage(
  place: ChunkPlace & { readonly memory: MemoryBudget },
  manifest: Pick<Manifest, "size" | "chunkBytes" | "chunks">,
  from: number,
  to: number,
): ChunkSource {
  const account = place.memory.open();
  const readAheadChunks = chunksWithin(readAheadBytes, manifest.chunkBytes, readAheadLimits);
  const pending = new Map<number, Promise<Uint8Array<ArrayBuffer> | undefined>>();
  const leaving = new AbortController();
  let underWay = 0;
  let position = from;
  let isOver = false;

  const start = (index: number) => {
    underWay += 1;
    const chunk = readChunk(place, manifest.chunks[index]!, chunkLength(manifest, index), leaving.signal);
    pending.set(index, chunk);
    const ended = () => {
      underWay -= 1;
      readAhead(false);
    };
    chunk.then(ended, ended); // a failure is looked at when its turn comes, if ever
  };

  /** `isAwaited`: somebody wants the next chunk now. What comes after it waits for room in the budget. */
  const readAhead = (isAwaited: boolean) => {
    if (isOver) return; // while a chunk was being read: nobody would give back what is taken now
    for (let index = position; index < Math.min(to, position + readAheadChunks); index++) {
      if (pending.has(index)) continue;
      // More than a slow store can deliver soon would make all of it late.
      if (underWay > 0 && !place.store.hasRoomToRead(chunkLength(manifest, index))) return;
      if (!account.tryTake(manifest.chunkBytes, isAwaited)) return;
      start(index);
    }
  };

  return {
    async next() {
      if (position >= to) return undefined;
      readAhead(true);
      const index = position;
      const bytes = await takeChunk(pending, index).catch((failure: unknown) => {
        isOver = true; // the rest is got in another way
        throw failure;
      });
      position = index + 1;
      account.give(manifest.chunkBytes);
      readAhead(false);
      return bytes;
    },
    close() {
      isOver = true;
      leaving.abort();
      account.close();
    },
  };
}

async function takeChunk(pending: Map<number, Promise<Uint8Array<ArrayBuffer> | undefined>>, index: number) {
  try {
    const bytes = await pending.get(index);
    if (bytes) return bytes;
  } catch (cause) {
    throw new ChunkUnavailable(index, { cause });
  } finally {
    pending.delete(index);
  }
  throw new ChunkUnavailable(index);
}
