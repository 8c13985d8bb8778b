/** Reads a stored image's chunks in order, a few ahead of the consumer, as far as memory and the store's pace let it. */
import { monotonicMs } from "../clock.ts";
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

/** What is read at a time at first: enough for a store that answers out of order; two streams leave a transfer room in the default budget. */
const readAheadBytes = 24 * 1024 * 1024;
/** The same, by and by, of a store that is far. */
const farAheadBytes = 64 * 1024 * 1024;
/** Enough to keep a disk and two hashing threads busy, but not more than a server accepts from one client. */
const readAheadLimits = [4, 16] as const;
/** A chunk that is waited for longer comes from far: chunks that were requested together come together, and then the line is idle. */
const nearMs = 20;

/** Reads something of a chunk. `undefined` if it is missing or damaged. */
export type ReadOne = (
  place: ChunkPlace,
  image: Pick<Manifest, "size" | "chunkBytes" | "chunks" | "stored">,
  index: number,
  signal: AbortSignal,
) => Promise<Uint8Array<ArrayBuffer> | undefined>;

/** Chunks of a stored image, one after the other. Until the first is taken, an edit may look at those to come. */
export interface ImageReader extends ChunkSource {
  /** Begins to read before anybody asks, into memory that is free. Others get that memory when they need it. */
  readAhead(): void;
  /**
   * A chunk that is still to come. It stays the reader's, who hands it out when its turn comes: copy what is needed at once. `undefined` if
   * it can't be read, or if no memory is free.
   */
  look(index: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Reads from chunk `from` to chunk `to`, exclusive. `read` says what is read of a chunk: by default the chunk itself. */
export function readImage(
  place: ChunkPlace & { readonly memory: MemoryBudget },
  manifest: Pick<Manifest, "size" | "chunkBytes" | "chunks" | "stored">,
  from: number,
  to: number,
  read = readRaw,
): ImageReader {
  const { chunkBytes } = manifest;
  let readAheadChunks = chunksWithin(readAheadBytes, chunkBytes, readAheadLimits);
  const farAheadChunks = chunksWithin(farAheadBytes, chunkBytes, readAheadLimits);
  const pending = new Map<number, Promise<Uint8Array<ArrayBuffer> | undefined>>();
  const underWay = new Set<Promise<unknown>>();
  /** Chunks that have come, and wait for their turn. */
  const ready = new Set<number>();
  const leaving = new AbortController();
  let position = from;
  let isBegun = false;
  let isOver = false;

  /** Gives up the last chunk that has come, if it is not before this one. It is read again in its turn. */
  const dropLast = (first: number): boolean => {
    const last = Math.max(-1, ...ready);
    if (last < first) return false;
    drop(last);
    return true;
  };
  // What a reader waits for is not taken from it.
  const account = place.memory.open(() => dropLast(isBegun ? position + readAheadChunks : position));
  const drop = (index: number) => {
    pending.delete(index);
    ready.delete(index);
    account.give(chunkBytes);
  };

  /** While a chunk is read, its encoded bytes are in memory as well. */
  const encodedBytes = (index: number) => {
    const chunk = manifest.stored?.[index];
    return chunk?.sha256 === undefined ? 0 : chunk.bytes;
  };

  const start = (index: number) => {
    const chunk = read(place, manifest, index, leaving.signal);
    pending.set(index, chunk);
    underWay.add(chunk);
    const ended = () => {
      underWay.delete(chunk);
      account.give(encodedBytes(index));
      if (pending.get(index) === chunk) ready.add(index);
      readAhead(false);
    };
    chunk.then(ended, ended); // a failure is looked at when its turn comes, if ever
    return chunk;
  };

  /** Before the first chunk is taken, nobody gives anything up for it: two streams that nobody reads would take it from each other for ever. */
  const take = (index: number, isAwaited: boolean) => {
    const bytes = chunkBytes + encodedBytes(index);
    return isBegun ? account.tryTake(bytes, isAwaited) : account.takeFree(bytes);
  };

  /** `isAwaited`: somebody wants the next chunk now. What comes after it waits for room in the budget. */
  const readAhead = (isAwaited: boolean) => {
    if (isOver) return; // while a chunk was being read: nobody would give back what is taken now
    for (let index = position; index < Math.min(to, position + readAheadChunks); index++) {
      if (pending.has(index)) continue;
      // More than a slow store can deliver soon would make all of it late.
      if (underWay.size > 0 && !place.store.hasRoomToRead(chunkLength(manifest, index))) return;
      if (!take(index, isAwaited)) return;
      start(index);
    }
  };

  /** What an edit has looked at must not keep the next chunk out. */
  const readNext = async () => {
    isBegun = true;
    for (readAhead(true); !pending.has(position) && !isOver; readAhead(true))
      if (!dropLast(position + 1)) await Promise.race(underWay).catch(() => undefined);
  };

  return {
    readAhead: () => readAhead(false),
    async look(index) {
      if (isOver || index < position || index >= to) return undefined;
      if (!pending.has(index) && !account.takeFree(chunkBytes + encodedBytes(index))) return undefined;
      const chunk = pending.get(index) ?? start(index);
      const bytes = await chunk.catch(() => undefined);
      // Whoever looks gets it in another way, and may mend it.
      if (!bytes && pending.get(index) === chunk) drop(index);
      return bytes;
    },
    async next() {
      if (position >= to) return undefined;
      await readNext();
      const index = position;
      ready.delete(index);
      const askedMs = monotonicMs();
      const bytes = await takeChunk(pending, index).catch((failure: unknown) => {
        isOver = true; // the rest is got in another way
        throw failure;
      });
      const isFar = monotonicMs() - askedMs > nearMs;
      if (isFar) readAheadChunks = Math.min(readAheadChunks + 1, farAheadChunks);
      position = index + 1;
      account.give(chunkBytes);
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

const readRaw: ReadOne = (place, image, index, signal) =>
  readChunk(place, image.chunks[index]!, chunkLength(image, index), signal);

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
