/** Chunks in and out of the store, each proved by its SHA-256 before anyone gets to see it. */
import { sha256Hex } from "../digest.ts";
import type { ByteStore } from "./byte-store.ts";
import { chunkKey } from "./keys.ts";

/** The chunk's bytes, verified; `undefined` when it is missing or damaged. A hole is made anew for each caller. */
export async function readChunk(
  store: ByteStore,
  digest: string | null,
  length: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (digest === null) return new Uint8Array(length);
  const bytes = await store.read(chunkKey(digest));
  if (bytes?.length !== length) return undefined;
  return (await sha256Hex(bytes)) === digest ? bytes : undefined;
}

/** Whether a stored chunk is there and is what its name says. */
export async function isChunkSound(store: ByteStore, digest: string, length: number): Promise<boolean> {
  return (await readChunk(store, digest, length)) !== undefined;
}

/** Bytes under a chunk's key, whatever they are. */
export async function storedLength(store: ByteStore, digest: string): Promise<number> {
  return (await store.read(chunkKey(digest)))?.length ?? 0;
}

/** Always puts, even where the chunk exists: the one that is there may be damaged, or about to be deleted. */
export async function writeChunk(
  store: ByteStore,
  digest: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  await store.write(chunkKey(digest), bytes);
}

/** SHA-256 of a chunk; `null` for one that is all zeros. */
export async function chunkDigest(bytes: Uint8Array<ArrayBuffer>): Promise<string | null> {
  return isAllZero(bytes) ? null : sha256Hex(bytes);
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
