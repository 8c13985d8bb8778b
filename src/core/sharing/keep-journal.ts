/** Writes the journal of a running transfer, so that other processes can follow or continue it. */

import { monotonicMs } from "../clock.ts";
import type { ChunkDigests } from "../digest.ts";
import type { TransferWindow } from "../memory/window.ts";
import type { ByteStore } from "../store/byte-store.ts";
import { type JournalHeader, type JournalSegment, removeJournals, writeSegment } from "../store/journal.ts";
import type { StoredChunks } from "../store/stored-chunk.ts";
import { segmentDue, wholeStoredChunks } from "./journal-pace.ts";
import type { Lease } from "./lease.ts";
import type { WirePieces } from "./wire-pieces.ts";

/** A journal that is being written. */
export interface KeptJournal {
  /** How many segments of it there are. */
  readonly segments: number;
  /** Settles when it is written down that chunks from an index on do not count any more. */
  takeBack(index: number): Promise<void>;
  /** Settles when nothing is being written. `isLeft`: all that is stored by then is written down, for the next transfer. */
  stop(isLeft: boolean): Promise<void>;
}

/**
 * Writes the journal of a window until `stop`. `previous`: epochs whose journals it makes superfluous. `storedOf` says what is known of stored
 * chunks.
 */
export function keepJournal(
  store: ByteStore,
  id: string,
  lease: Lease,
  previous: readonly number[],
  window: TransferWindow,
  header: JournalHeader,
  pieces: WirePieces,
  storedOf: (digests: ChunkDigests) => StoredChunks | undefined,
  onFault: (cause: unknown) => void,
): KeptJournal {
  let written = 0;
  let segment = 0;
  let writtenMs = monotonicMs();
  let isFaulty = false;
  const stopping = Promise.withResolvers<"stop">();
  let takenBack = Promise.withResolvers<void>();

  // Segments are numbered, so they are written one after the other.
  let last: Promise<void> = Promise.resolve();
  const inTurn = (write: () => Promise<void>): Promise<void> => {
    const result = last.then(write);
    last = result.catch(() => undefined);
    return result;
  };

  const isAnyToSay = () => wholeStoredChunks(window) > written || pieces.news.isAny;
  const append = () => inTurn(appendNow);
  const appendNow = async () => {
    const until = Math.max(written, wholeStoredChunks(window)); // what was taken back is told by `takeBack`
    const digests = window.digests.slice(written, until);
    const stored = storedOf(digests);
    const news = pieces.news.take();
    const entry: JournalSegment = {
      owner: lease.owner,
      ...(segment === 0 && { header }),
      from: written,
      digests,
      ...(stored && { stored }),
      file: window.fileAt(until - 1),
      ...(news && { wire: news }),
    };
    await writeSegment(store, id, lease.epoch, segment, entry);
    written = until;
    segment += 1;
    writtenMs = monotonicMs();
    if (news) pieces.news.written(news);
    pieces.chunksNamed(written * window.chunkBytes);
  };

  const fail = (cause: unknown) => {
    isFaulty = true;
    pieces.news.abandon();
    onFault(cause);
  };

  const writing = (async () => {
    await append();
    await removeJournals(store, id, previous, new Set(pieces.written.keys())); // ours has by now what they had
    for (;;) {
      const waiting = new AbortController();
      const due = segmentDue(window, pieces.news, { named: written, writtenMs }, waiting.signal);
      const what = await Promise.race([due, takenBack.promise, stopping.promise]);
      waiting.abort();
      if (what === "stop") return;
      if (isAnyToSay()) await append();
    }
  })().catch(fail);

  return {
    get segments() {
      return segment;
    },
    takeBack(index) {
      return inTurn(async () => {
        if (isFaulty || index >= written) return;
        await writeSegment(store, id, lease.epoch, segment, { owner: lease.owner, from: index, digests: [] });
        written = index;
        segment += 1;
        takenBack.resolve(); // the chunks to wait for are others now
        takenBack = Promise.withResolvers();
      }).catch(fail);
    },
    async stop(isLeft) {
      stopping.resolve("stop");
      await writing;
      if (isLeft && !isFaulty && isAnyToSay()) await append().catch(fail);
    },
  };
}
