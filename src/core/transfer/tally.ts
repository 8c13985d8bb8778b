/** What a transfer has cost so far, for its events. */
import type { TransferCost } from "../types.ts";

/** Counts for one transfer, from now on. */
export interface Tally {
  /** Bytes of the upstream's files have come. */
  addWireBytes(bytes: number): void;
  cost(): TransferCost;
}

/** Begins to count. */
export function createTally(now: () => number): Tally {
  const startedAt = now();
  let wireBytes = 0;
  return {
    addWireBytes(bytes) {
      wireBytes += bytes;
    },
    cost: () => ({ durationMs: now() - startedAt, wireBytes }),
  };
}
