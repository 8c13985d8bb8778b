/** Follows another process's transfer by its journal, as long as that process lives. */
import { ImageChangedError } from "../errors.ts";
import { isStrongEtag } from "../freshness/judge.ts";
import type { TransferWindow } from "../memory/window.ts";
import type { ByteStore } from "../store/byte-store.ts";
import { type JournalHeader, type JournalSegment, readSegment } from "../store/journal.ts";
import { sleep } from "../waiting.ts";
import type { Contest, LeaseTimes, Turn } from "./lease.ts";

/** What following needs. */
export interface FollowOptions {
  readonly store: ByteStore;
  readonly id: string;
  readonly turn: Extract<Turn, { kind: "follow" }>;
  readonly contest: Contest;
  readonly times: LeaseTimes;
  readonly window: TransferWindow;
  readonly signal: AbortSignal;
  /** What the journal that was followed before said of its file. */
  readonly previous: JournalHeader | undefined;
  onHeader(header: JournalHeader): void;
}

/**
 * Adds to the window what the journal says is stored; settles when its owner has ended, or is taken to have.
 * @throws {ImageChangedError} `IMAGE_CHANGED` if it is the journal of another file, and disagrees with what was already handed out.
 */
export async function followJournal(options: FollowOptions): Promise<void> {
  const { store, id, turn, contest, times, window, signal, previous } = options;
  let next = 0;
  let isSameFile = false;
  let known = 0; // chunks that this journal has named, and not taken back
  const readOn = async () => {
    for (;;) {
      const segment = await readSegment(store, id, turn.epoch, next, turn.owner);
      // A segment that does not go on at the window's end does not belong to this journal.
      if (!segment || segment.from > window.digests.length) return;
      if (segment.header) {
        acceptHeader(options, segment.header);
        isSameFile = areOfOneFile(previous, segment.header);
      }
      // They failed the check of their part. A reader that has read them fails only if the right ones differ.
      const firstWrong = segment.from < known ? segment.from : isSameFile && firstOther(window, segment);
      if (firstWrong !== false) window.takeBack(firstWrong);
      adopt(window, segment);
      known = segment.from + segment.digests.length;
      next += 1;
    }
  };
  for (;;) {
    const isOver = await contest.isOver(turn.epoch);
    await readOn(); // after the look at the lease: the owner's last segment must not be missed
    if (isOver) return;
    await sleep(times.pollMs, signal);
  }
}

/** Two transfers of a file give the same chunks, but for those of a part that has not passed its check. */
function areOfOneFile(one: JournalHeader | undefined, other: JournalHeader): boolean {
  return isStrongEtag(other.validators.etag) && one?.validators.etag === other.validators.etag;
}

/** The first chunk of a segment that is not the one that the journal before named; `false` if there is none. */
function firstOther({ digests: known }: TransferWindow, { from, digests }: JournalSegment): number | false {
  const offset = digests.findIndex((digest, at) => from + at < known.length && digest !== known[from + at]);
  return offset >= 0 && from + offset;
}

function acceptHeader({ window, onHeader }: FollowOptions, header: JournalHeader): void {
  if (header.chunkBytes !== window.chunkBytes && !window.resize(header.chunkBytes)) {
    throw new ImageChangedError("The image is being downloaded again in chunks of another size");
  }
  onHeader(header);
}

function adopt(window: TransferWindow, { from, digests, file }: JournalSegment): void {
  window.noteFile(file);
  for (const [offset, digest] of digests.entries()) window.adopt(from + offset, digest, window.chunkBytes);
}
