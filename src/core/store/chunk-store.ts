/** Reads and writes chunks. The SHA-256 of each chunk is verified before its bytes are used. */
import { bounds } from "../bounds.ts";
import { type ChunkDigests, webHash } from "../digest.ts";
import { eachOf } from "../each.ts";
import { StoreError } from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import { detachIfWhole } from "../memory/free.ts";
import type { Hasher } from "../types.ts";
import { sleep } from "../waiting.ts";
import type { ByteStore } from "./byte-store.ts";
import { type ChunkCodec, checksumOfMember, decodeChunk, encodeChunk, formatOf } from "./chunk-codec.ts";
import { chunkKey } from "./keys.ts";
import type { StoredChunk } from "./stored-chunk.ts";

/** A chunk's bytes, as they are or as a gzip file of them. */
export interface PackedChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isGzip: boolean;
}

/** Where chunks are, in which form, and what proves them. */
export interface ChunkPlace {
  readonly store: ByteStore;
  readonly hash: Hasher;
  readonly codec: ChunkCodec;
  /** Called if a damaged chunk was sound in another place of the store. */
  readonly onReadAgain?: (() => void) | undefined;
}

/**
 * The chunk's bytes, verified; `undefined` when it is missing or damaged. Each caller gets its own buffer for a hole.
 * @throws {StoreError} `STORE` if the store fails, or has the chunk in a format that can't be decoded here.
 */
export async function readChunk(
  place: ChunkPlace,
  digest: string | null,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (digest === null) return new Uint8Array(length);
  return readProven(place, digest, length, (stored) => decoded(place, stored, digest, length), signal);
}

/**
 * A chunk as it lies in the store, raw or encoded. `undefined` when there is none, or more than a chunk of that length can be. Nothing is
 * verified: the name is the digest of the raw bytes.
 */
export function readStoredChunk(
  store: ByteStore,
  digest: string,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return readTwice(store, chunkKey(digest), length + bounds.chunkEncodingBytes, signal);
}

/**
 * A chunk as it lies in the store, if it is what a manifest says of it. `undefined` when it is missing, damaged, or lies otherwise by now.
 * Nothing for a hole.
 */
export async function readUnchanged(
  place: ChunkPlace,
  digest: string | null,
  known: StoredChunk | null | undefined,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (digest === null) return new Uint8Array(0);
  const expected = known?.sha256 ?? digest;
  const prove = async (stored: Uint8Array<ArrayBuffer>) => {
    const { sha256, bytes } = await place.hash(stored);
    return sha256 === expected ? bytes : undefined;
  };
  return readProven(place, digest, length, prove, signal);
}

/** A chunk for a line: as gzip if it lies so. Its bytes are verified all the same; `undefined` when they are missing or damaged. */
export async function readPackedChunk(
  place: ChunkPlace,
  digest: string,
  length: number,
  signal?: AbortSignal,
): Promise<PackedChunk | undefined> {
  const prove = async (stored: Uint8Array<ArrayBuffer>): Promise<PackedChunk | undefined> => {
    const isPacked = stored.length < length && formatOf(stored) === "gzip";
    const packed = isPacked ? stored.slice() : undefined; // decoding uses up what was read
    const bytes = await decoded(place, stored, digest, length);
    if (!bytes || !packed) return bytes && { bytes, isGzip: false };
    detachIfWhole(bytes);
    return { bytes: packed, isGzip: true };
  };
  return readProven(place, digest, length, prove, signal);
}

/** What is made of a stored value that proves right. A store of several places may have a sound one in another of them. */
async function readProven<T>(
  { store, onReadAgain }: Pick<ChunkPlace, "store" | "onReadAgain">,
  digest: string,
  length: number,
  prove: (stored: Uint8Array<ArrayBuffer>) => Promise<T | undefined>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const stored = await readStoredChunk(store, digest, length, signal);
  const sound = stored && (await prove(stored));
  if (sound !== undefined || !stored) return sound;
  const maxBytes = length + bounds.chunkEncodingBytes;
  const again = await store.readAgain(chunkKey(digest), maxBytes, signal).catch(() => undefined);
  const other = again && (await prove(again));
  if (other !== undefined) onReadAgain?.();
  return other;
}

/** The chunk in a stored value. One of the chunk's length is taken as it is, if it is right. Encoded ones may be as long. */
async function decoded(
  { hash, codec }: ChunkPlace,
  stored: Uint8Array<ArrayBuffer>,
  digest: string,
  length: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const hashed = stored.length === length ? await hash(stored) : undefined;
  if (hashed?.sha256 === digest) return hashed.bytes;
  const chunk = await decodeChunk(codec, hashed?.bytes ?? stored, length);
  if (!chunk) return undefined;
  const { sha256, bytes } = await hash(chunk);
  return sha256 === digest ? bytes : undefined;
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
  return (await inspectChunk(place, digest, length)) !== undefined;
}

/** What is known of a stored chunk once it is read and verified; `undefined` when it is missing or damaged. */
export function inspectChunk(
  place: ChunkPlace,
  digest: string,
  length: number,
): Promise<StoredChunk | undefined> {
  return readProven(place, digest, length, async (value) => {
    const crc32 = checksumOfMember(value, length);
    const { sha256, bytes } = await place.hash(value);
    const facts = { bytes: bytes.length, sha256, crc32 };
    if (sha256 === digest) {
      detachIfWhole(bytes);
      return { bytes: facts.bytes };
    }
    const chunk = await decoded(place, bytes, digest, length);
    if (chunk) detachIfWhole(chunk);
    return chunk && facts;
  });
}

/** Whether the store has something under the key of each chunk. None is read. */
export async function areChunksThere(store: ByteStore, digests: ChunkDigests): Promise<boolean> {
  const stored = [...new Set(digests)].filter((digest) => digest !== null);
  const found = await eachOf(stored, (digest) => store.has(chunkKey(digest)));
  return found.every(Boolean);
}

/** Bytes under a chunk's key, without a check. */
export async function storedLength(store: ByteStore, digest: string): Promise<number> {
  const bytes = await store.read(chunkKey(digest));
  const length = bytes?.length ?? 0;
  if (bytes) detachIfWhole(bytes);
  return length;
}

/**
 * Writes a chunk in the manager's encoding. Always, even if the chunk exists, because that chunk may be damaged or about to be deleted. The
 * bytes must not change until it settles.
 */
export async function writeChunk(
  place: ChunkPlace,
  digest: string,
  chunk: Uint8Array<ArrayBuffer>,
): Promise<StoredChunk> {
  const { stored, bytes } = await encodeChunk(place, chunk);
  await place.store.write(chunkKey(digest), bytes);
  return stored;
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
