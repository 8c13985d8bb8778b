// What images consist of: chunks of a pool, some shared by many, and in each revision at least one that no other has.
import { createCipheriv, hash } from "node:crypto";
import type { Random } from "../soak/random.ts";

export const chunkBytes = 1024;
const sharedChunks = 8;
const poolChunks = 200;

/** Bytes that shrink to about half when they are packed: only four bits of each are random. Only some of them are text's. */
const pool = Array.from({ length: poolChunks }, (_, index) => {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, index + 1), Buffer.alloc(16));
  return new Uint8Array(cipher.update(Buffer.alloc(chunkBytes))).map((byte) => byte & 0x0f);
});
const hole = new Uint8Array(chunkBytes);

/** What a version's file was at one time. */
export interface Revision {
  readonly name: string;
  readonly size: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
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
    const bytes = new Uint8Array(size);
    for (const [index, chunk] of chunks.entries())
      bytes.set(chunk.subarray(0, size - index * chunkBytes), index * chunkBytes);
    return { name, size, bytes, modifiedMs };
  };
}

const known = new WeakMap<Revision, readonly (string | null)[]>();

/** The SHA-256 of each chunk; `null` for one of zeros. */
export function digestsOf(revision: Revision): readonly (string | null)[] {
  let digests = known.get(revision);
  if (!digests) {
    const count = Math.ceil(revision.size / chunkBytes);
    digests = Array.from({ length: count }, (_, index) => {
      const bytes = revision.bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes);
      return bytes.every((byte) => byte === 0) ? null : hash("sha256", bytes, "hex");
    });
    known.set(revision, digests);
  }
  return digests;
}

/** Whether a revision has these bytes there. */
export function hasAt(revision: Revision, offset: number, bytes: Uint8Array): boolean {
  if (offset + bytes.length > revision.size) return false;
  return Buffer.compare(revision.bytes.subarray(offset, offset + bytes.length), bytes) === 0;
}

/** A copy of some bytes. */
export function bytesOf(revision: Revision, from: number, to: number): Uint8Array<ArrayBuffer> {
  return revision.bytes.slice(from, to);
}
