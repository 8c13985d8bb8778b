/** Follows another process's transfer by its journal, as long as that process lives. */
import { ImageChangedError } from "../errors.ts";
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
  onHeader(header: JournalHeader): void;
}

/**
 * Adds to the window what the journal says is stored; settles when its owner has ended, or is taken to have.
 * @throws {ImageChangedError} `IMAGE_CHANGED` if the journal disagrees with what was already handed out.
 */
export async function followJournal(options: FollowOptions): Promise<void> {
  const { store, id, turn, contest, times, window, signal } = options;
  let next = 0;
  let known = 0; // chunks that this journal has named, and not taken back
  const readOn = async () => {
    for (;;) {
      const segment = await readSegment(store, id, turn.epoch, next, turn.owner);
      // A segment that does not go on at the window's end does not belong to this journal.
      if (!segment || segment.from > window.digests.length) return;
      if (segment.header) acceptHeader(options, segment.header);
      // They failed the check of their part. A reader that has read them fails only if the right ones differ.
      if (segment.from < known) window.takeBack(segment.from);
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
