/** Counts processes that were killed one after the other, and got no further with an image than the one before. */
import type { Journal } from "../store/journal.ts";

/** One may be an accident. If even this many end in vain, something ends each of them after the same time: the limit of a Worker, say. */
export const maxRunsInVain = 3;
/** Limits change. After a day it is tried again. */
const memoryMs = 24 * 60 * 60 * 1000;

/** `killed`: owners of the image's lease that had died before ours, as far as that was counted. */
export function runsInVain({ header, hasGained }: Journal, killed: number, now: number): number {
  if (Math.abs(now - header.startedAt) > memoryMs) return 0;
  // Those that died after the journal was begun: its own owner, and owners that got not even that far.
  const since = killed - (header.killed ?? 0);
  if (since <= 0) return 0;
  return hasGained ? since - 1 : (header.inVain ?? 0) + since;
}
