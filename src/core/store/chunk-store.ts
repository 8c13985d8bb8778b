/** Reads and writes chunks. The SHA-256 of each chunk is verified before its bytes are used. */
import { bounds } from "../bounds.ts";
import { webHash } from "../digest.ts";
import { StoreError } from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import { detachIfWhole } from "../memory/free.ts";
import type { Hasher } from "../types.ts";
import { sleep } from "../waiting.ts";
import type { ByteStore } from "./byte-store.ts";
import { chunkKey } from "./keys.ts";

/** Where chunks are, and what proves them. */
export interface ChunkPlace {
  readonly store: ByteStore;
  readonly hash: Hasher;
  /** Called if a damaged chunk was sound in another place of the store. */
  readonly onReadAgain?: (() => void) | undefined;
}

/** The chunk's bytes, verified; `undefined` when it is missing or damaged. Each caller gets its own buffer for a hole. */
export async function readChunk(
  { store, hash, onReadAgain }: ChunkPlace,
  digest: string | null,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (digest === null) return new Uint8Array(length);
  const key = chunkKey(digest);
  const maxBytes = length + bounds.chunkEncodingBytes;
  const prove = async (stored: Uint8Array<ArrayBuffer> | undefined) => {
    if (stored?.length !== length) return undefined;
    const { sha256, bytes } = await hash(stored);
    return sha256 === digest ? bytes : undefined;
  };
  const stored = await readTwice(store, key, maxBytes, signal);
  const sound = await prove(stored);
  if (sound || !stored) return sound;
  // A store of several places may have a sound one in another of them.
  const other = await prove(await store.readAgain(key, maxBytes, signal).catch(() => undefined));
  if (other) onReadAgain?.();
  return other;
}

const secondReadDelayMs = 50;

/** A read may fail although the chunk is right: too many open files, a stale handle. A late store is not asked again. */
async function readTwice(store: ByteStore, key: string, maxBytes: number, signal?: AbortSignal) {
  try {
    return await store.read(key, maxBytes, signal);
  } catch (failure) {
    const isLate = (failure as StoreError).cause === undefined;
    if (isLate || signal?.aborted) throw failure;
    await sleep(secondReadDelayMs);
    return store.read(key, maxBytes, signal);
  }
}

/** Whether a stored chunk is there and is what its name says. */
export async function isChunkSound(place: ChunkPlace, digest: string, length: number): Promise<boolean> {
  const bytes = await readChunk(place, digest, length);
  if (bytes) detachIfWhole(bytes);
  return bytes !== undefined;
}

/** Bytes under a chunk's key, without a check. */
export async function storedLength(store: ByteStore, digest: string): Promise<number> {
  const bytes = await store.read(chunkKey(digest));
  const length = bytes?.length ?? 0;
  if (bytes) detachIfWhole(bytes);
  return length;
}

/** Always writes, even if the chunk exists, because that chunk may be damaged or about to be deleted. */
export async function writeChunk(
  store: ByteStore,
  digest: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  await store.write(chunkKey(digest), bytes);
}

/** A chunk with its SHA-256, which is `null` for one that is all zeros. */
export interface DigestedChunk {
  readonly digest: string | null;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Hashes a chunk. The given buffer is the hasher's from then on.
 * @throws {StoreError} `STORE` if a hasher that the caller brought fails.
 */
export async function digestChunk(
  chunk: Uint8Array<ArrayBuffer>,
  hash: Hasher = webHash,
): Promise<DigestedChunk> {
  if (isAllZero(chunk)) return { digest: null, bytes: chunk };
  try {
    const { sha256, bytes } = await hash(chunk);
    return { digest: sha256, bytes };
  } catch (cause) {
    throw new StoreError("A chunk could not be hashed", { cause: foreignError(cause) });
  }
}

/** Looks at four bytes at a time; stops at the first that is not zero, so only real holes cost a whole pass. */
function isAllZero(bytes: Uint8Array<ArrayBuffer>): boolean {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes.length >> 2 : 0;
  const words = new Int32Array(bytes.buffer, aligned ? bytes.byteOffset : 0, aligned);
  // By index: an iterator makes this loop several times slower, and holes go through all of it.
  for (let index = 0; index < words.length; index++) if (words[index] !== 0) return false;
  for (let index = aligned << 2; index < bytes.length; index++) if (bytes[index] !== 0) return false;
  return true;
}
