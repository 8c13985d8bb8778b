// Generates a disk's bytes from a seed: any block without the ones before it, the same in every run, about 5:1 under gzip.
import { createHash } from "node:crypto";
import { type DiskLayout, masterBootRecord } from "./disk-layout.ts";

/** Bytes that are generated at once. */
export const blockBytes = 64 * 1024;

// Tuned for 5:1 over the whole disk, a fifth of it zero: the rest is text of about 8:1 and this share of noise.
const noiseBytes = 8704;
const phrases = makePhrases(256);

/** Makes a function that gives any bytes of a disk: `boot` is how its boot partition begins, `release` decides the rest. */
export function createDisk(
  layout: DiskLayout,
  release: string,
  boot: Uint8Array,
): (start: number, end: number) => Uint8Array<ArrayBuffer> {
  const seed = seedOf(release);
  const record = masterBootRecord(layout);

  return (start, end) => {
    const out = new Uint8Array(end - start);
    for (let block = Math.floor(start / blockBytes); block * blockBytes < end; block++) {
      overlay(out, start, makeBlock(seed, block), block * blockBytes);
    }
    for (const hole of layout.holes) zero(out, hole.start - start, hole.end - start);
    overlay(out, start, boot, layout.partitions[0]!.start);
    overlay(out, start, record, 0);
    return out;
  };
}

function makeBlock(seed: number, index: number): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const next = random(seed ^ Math.imul(index + 1, 0x9e3779b1));
  const words = new Uint32Array(block.buffer, 0, noiseBytes / 4);
  for (let i = 0; i < words.length; i++) words[i] = next();
  fillText(block.subarray(noiseBytes), next);
  return block;
}

function fillText(out: Uint8Array, next: () => number): void {
  for (let at = 0; at < out.length; ) {
    const phrase = phrases[next() >>> 24]!;
    out.set(phrase.length <= out.length - at ? phrase : phrase.subarray(0, out.length - at), at);
    at += phrase.length;
  }
}

function makePhrases(count: number): Uint8Array[] {
  const next = random(0x5eed);
  const letter = () => 97 + (next() % 26);
  return Array.from({ length: count }, () => Uint8Array.from({ length: 16 + (next() % 48) }, letter));
}

/** Xorshift: fast, and the same numbers on every machine. */
function random(seed: number): () => number {
  let x = seed | 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

function seedOf(text: string): number {
  return createHash("sha256").update(text).digest().readInt32LE();
}

/** Copies what of `piece`, which lies at `pieceStart` of the disk, falls into `out`, which lies at `outStart`. */
export function overlay(out: Uint8Array, outStart: number, piece: Uint8Array, pieceStart: number): void {
  const from = Math.max(outStart, pieceStart);
  const to = Math.min(outStart + out.length, pieceStart + piece.length);
  if (from < to) out.set(piece.subarray(from - pieceStart, to - pieceStart), from - outStart);
}

function zero(out: Uint8Array, start: number, end: number): void {
  if (end > 0 && start < out.length) out.fill(0, Math.max(0, start), Math.min(out.length, end));
}
