/** Writes the journal of a running transfer, so that other processes can follow or continue it. */

import type { ChunkDigests } from "../digest.ts";
import type { TransferWindow } from "../memory/window.ts";
import type { ByteStore } from "../store/byte-store.ts";
import { type JournalHeader, type JournalSegment, removeJournals, writeSegment } from "../store/journal.ts";
import type { StoredChunks } from "../store/stored-chunk.ts";
import { sleep } from "../waiting.ts";
import type { Lease } from "./lease.ts";
import type { WirePieces } from "./wire-pieces.ts";

/** How soon is soon enough for a piece to wait for the next chunk. */
const joinMs = 50;

/** A journal that is being written. */
export interface KeptJournal {
  /** How many segments of it there are. */
  readonly segments: number;
  /** Settles when it is written down that chunks from an index on do not count any more. */
  takeBack(index: number): Promise<void>;
  /** Settles when all that is stored by then is written down. */
  stop(): Promise<void>;
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
  let isFaulty = false;
  const stopping = Promise.withResolvers<"stop">();

  // Segments are numbered, so they are written one after the other.
  let last: Promise<void> = Promise.resolve();
  const inTurn = (write: () => Promise<void>): Promise<void> => {
    const result = last.then(write);
    last = result.catch(() => undefined);
    return result;
  };

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
    await removeJournals(store, id, previous, pieces.keys); // ours has by now what they had
    for (let isEnd = false; ; ) {
      const more = isEnd ? [] : [window.storedBeyond(written)];
      const news = pieces.news.arrival.then(() => "news" as const);
      let what = await Promise.race([...more, news, stopping.promise]);
      if (what === "news" && !isEnd) what = await soon(Promise.race([...more, stopping.promise]));
      if (what === "stop") return;
      isEnd = wholeStoredChunks(window) <= written && !pieces.news.isAny; // a short chunk: the end
      if (!isEnd) await append();
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
      }).catch(fail);
    },
    async stop() {
      stopping.resolve("stop");
      await writing;
      if (!isFaulty && (wholeStoredChunks(window) > written || pieces.news.isAny)) await append().catch(fail);
    },
  };
}

/** A piece waits for the next chunk, if that comes soon: one segment for both. */
async function soon<T>(coming: Promise<T>): Promise<T | undefined> {
  const waiting = new AbortController();
  const late = sleep(joinMs, waiting.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([coming, late]);
  } finally {
    waiting.abort();
  }
}

/** The last, short chunk is the manifest's to tell. */
function wholeStoredChunks(window: TransferWindow): number {
  return Math.min(window.storedCount, Math.floor(window.size / window.chunkBytes));
}
