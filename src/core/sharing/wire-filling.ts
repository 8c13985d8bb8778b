/** The piece of a part's compressed bytes that is being filled. It is due when it is full, or when its bytes have waited for long. */
import { monotonicMs } from "../clock.ts";
import { pieceSealBytes } from "../store/wire.ts";

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
  /** How many it has room for. */
  readonly heldBytes: number;
  /** How many are in it. */
  readonly bytes: number;
  /** What is in it, and room for a seal. The buffer is the caller's from then on. */
  readonly value: Uint8Array<ArrayBuffer>;
  /** Copies as many bytes as there is room for, and says how many. */
  add(bytes: Uint8Array): number;
  isDue(): boolean;
}

/**
 * Bytes of the next piece, of so many that are still to come; 0 if so few are not worth their requests to the store. It takes no more room
 * than a chunk: what a store takes was considered there.
 */
export function fillingBytes(leftBytes: number, chunkBytes: number): number {
  const valueBytes = Math.min(maxPieceBytes, chunkBytes);
  return leftBytes < valueBytes / 4 ? 0 : Math.min(leftBytes, valueBytes - pieceSealBytes);
}

/** An empty one. `partStartedMs`: since when its part comes, on `performance`'s clock. */
export function createFilling(
  { part, etag, offset }: { part: number; etag: string; offset: number },
  heldBytes: number,
  partStartedMs: number,
): Filling {
  const buffer = new Uint8Array(heldBytes + pieceSealBytes);
  const startedMs = monotonicMs();
  let filledBytes = 0;
  return {
    part,
    etag,
    offset,
    heldBytes,
    get bytes() {
      return filledBytes;
    },
    get value() {
      return filledBytes === heldBytes ? buffer : buffer.slice(0, filledBytes + pieceSealBytes);
    },
    add(bytes) {
      const taken = bytes.subarray(0, heldBytes - filledBytes);
      buffer.set(taken, filledBytes);
      filledBytes += taken.length;
      return taken.length;
    },
    isDue() {
      const nowMs = monotonicMs();
      const ageMs = Math.max(maxAgeMs, (nowMs - partStartedMs) * maxAgeShare);
      return filledBytes === heldBytes || nowMs - startedMs >= ageMs;
    },
  };
}
