/**
 * When the next segment of a journal is due. A store that is far away answers each request late, and may charge for it: so a segment names
 * several chunks. On a slow link as many take long, and neither a follower nor the one that goes on after a kill should wait or lose so much.
 */
import { monotonicMs } from "../clock.ts";
import type { TransferWindow } from "../memory/window.ts";
import { sleep } from "../waiting.ts";
import type { PendingNews } from "./wire-news.ts";

/** So many chunks are not kept waiting. */
const chunksASegment = 16;
/** Nor is anything for longer than this, counted from the last segment. */
const segmentEveryMs = 1_000;

/** What the last segment said, and when. */
export interface LastSegment {
  /** How many chunks the journal names. */
  readonly named: number;
  readonly writtenMs: number;
}

/** Settles when one is due. `signal` aborts when that does not matter any more. */
export async function segmentDue(
  window: TransferWindow,
  news: PendingNews,
  { named, writtenMs }: LastSegment,
  signal: AbortSignal,
): Promise<void> {
  const storedBeyond = (count: number) => (areMoreToCome(window, named) ? [window.storedBeyond(count)] : []);
  const isLate = Promise.race([...storedBeyond(named), news.storing]).then(() =>
    sleep(Math.max(0, writtenMs + segmentEveryMs - monotonicMs()), signal).catch(() => undefined),
  );
  // A piece is not written before it is named, and holds up those after it.
  await Promise.race([isLate, ...storedBeyond(named + chunksASegment - 1), news.arrival]);
}

/** The last, short chunk is the manifest's to tell. */
export function wholeStoredChunks(window: TransferWindow): number {
  return Math.min(window.storedCount, Math.floor(window.size / window.chunkBytes));
}

function areMoreToCome(window: TransferWindow, named: number): boolean {
  const isAtEnd = window.isOver || window.size % window.chunkBytes !== 0;
  return !isAtEnd || wholeStoredChunks(window) > named;
}
