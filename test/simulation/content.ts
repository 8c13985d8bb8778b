// What images consist of: chunks of a pool, some shared by many, and in each revision at least one that no other has.
import { createCipheriv, hash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Random } from "../soak/random.ts";

export const chunkBytes = 1024;
const sharedChunks = 8;
const poolChunks = 200;

const pool = Array.from({ length: poolChunks }, (_, index) => {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, index + 1), Buffer.alloc(16));
  return new Uint8Array(cipher.update(Buffer.alloc(chunkBytes)));
});
const hole = new Uint8Array(chunkBytes);

/** What a version's file was at one time. */
export interface Revision {
  readonly name: string;
  readonly size: number;
  readonly chunks: readonly Uint8Array[];
  readonly modifiedMs: number;
}

/** Makes revisions that all differ. */
export function createContent(random: Random): (name: string, modifiedMs: number) => Revision {
  let own = sharedChunks;
  return (name, modifiedMs) => {
    const count = random.int(1, 4);
    const chunks = Array.from({ length: count }, () =>
      random.chance(0.2) ? hole : pool[random.int(0, sharedChunks - 1)]!,
    );
    chunks[random.int(0, count - 1)] = pool[own++]!;
    const size = (count - 1) * chunkBytes + (random.chance(0.5) ? chunkBytes : random.int(100, chunkBytes));
    return { name, size, chunks, modifiedMs };
  };
}

const known = new WeakMap<Revision, readonly (string | null)[]>();

/** The SHA-256 of each chunk; `null` for one of zeros. */
export function digestsOf(revision: Revision): readonly (string | null)[] {
  let digests = known.get(revision);
  if (!digests) {
    digests = revision.chunks.map((chunk, index) => {
      const bytes = chunk.subarray(0, revision.size - index * chunkBytes);
      return chunk === hole ? null : hash("sha256", bytes, "hex");
    });
    known.set(revision, digests);
  }
  return digests;
}

/** Whether a revision has these bytes there. */
export function hasAt(revision: Revision, offset: number, bytes: Uint8Array): boolean {
  if (offset + bytes.length > revision.size) return false;
  for (let at = 0; at < bytes.length; ) {
    const [index, inner] = [Math.floor((offset + at) / chunkBytes), (offset + at) % chunkBytes];
    const length = Math.min(bytes.length - at, chunkBytes - inner);
    const wanted = revision.chunks[index]!.subarray(inner, inner + length);
    if (Buffer.compare(wanted, bytes.subarray(at, at + length)) !== 0) return false;
    at += length;
  }
  return true;
}

/** A copy of some bytes. */
export function bytesOf(revision: Revision, from: number, to: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(to - from);
  for (let at = from; at < to; ) {
    const inner = at % chunkBytes;
    const length = Math.min(to - at, chunkBytes - inner);
    bytes.set(revision.chunks[Math.floor(at / chunkBytes)]!.subarray(inner, inner + length), at - from);
    at += length;
  }
  return bytes;
}

/** CRC-32 of some bytes. */
export function crcOf(revision: Revision, from: number, to: number): number {
  return crc32(bytesOf(revision, from, to));
}
