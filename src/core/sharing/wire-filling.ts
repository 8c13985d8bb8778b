/** The piece of a part's compressed bytes that is being filled. It is due when it is full, or when its bytes have waited for long. */
import { monotonicMs } from "../clock.ts";

/** Large pieces cost few requests. A kill costs the one that is being filled and the one that is being written. */
const maxPieceBytes = 4 * 1024 * 1024;
/** On a slow link a piece is kept after this time. What is lost should not take longer to come again. */
const maxAgeMs = 5_000;
/** The longer a part takes, the less it matters: so a part of many hours has a thousand pieces at most. */
const maxAgeShare = 0.01;

/** Bytes that follow each other. */
export interface Filling {
  readonly part: number;
  readonly etag: string;
  readonly offset: number;
  /** Bytes of its buffer. */
  readonly heldBytes: number;
  /** What is in it. The buffer is the caller's from then on. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Copies as many bytes as there is room for, and says how many. */
  add(bytes: Uint8Array): number;
  isDue(): boolean;
}

/** Bytes of the next piece, of so many that are still to come. Not more than a chunk: what a store takes was considered there. */
export function fillingBytes(leftBytes: number, chunkBytes: number): number {
  return Math.min(maxPieceBytes, leftBytes, chunkBytes);
}

/** An empty one. `partStartedMs`: since when its part comes, on `performance`'s clock. */
export function createFilling(
  { part, etag, offset }: { part: number; etag: string; offset: number },
  heldBytes: number,
  partStartedMs: number,
): Filling {
  const buffer = new Uint8Array(heldBytes);
  const startedMs = monotonicMs();
  let filledBytes = 0;
  return {
    part,
    etag,
    offset,
    heldBytes,
    get bytes() {
      return filledBytes === buffer.length ? buffer : buffer.slice(0, filledBytes);
    },
    add(bytes) {
      const taken = bytes.subarray(0, buffer.length - filledBytes);
      buffer.set(taken, filledBytes);
      filledBytes += taken.length;
      return taken.length;
    },
    isDue() {
      const nowMs = monotonicMs();
      const ageMs = Math.max(maxAgeMs, (nowMs - partStartedMs) * maxAgeShare);
      return filledBytes === buffer.length || nowMs - startedMs >= ageMs;
    },
  };
}
