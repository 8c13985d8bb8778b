/**
 * The journal of a transfer under way: which chunks are in the store already, appended in segments that are never rewritten.
 * Other processes read along by it, and what a dead one left is taken up from it.
 */
import type { ByteStore } from "../store/byte-store.ts";
import { decodeJson, encodeJson } from "../store/json.ts";
import { partialFolder, partialKey } from "../store/keys.ts";
import type { ChunkDigests, Validators } from "../store/manifest.ts";
import type { Lease } from "./lease.ts";
import type { TransferWindow } from "./window.ts";

/** What the first segment says of the transfer. */
export interface JournalHeader {
  readonly chunkBytes: number;
  readonly mime: string;
  /** Bytes of the image, where known. */
  readonly size?: number | undefined;
  readonly validators: Validators;
  /** The file is inflated on the way: its bytes are not the image's, so no range of it goes on from a chunk. */
  readonly isInflated: boolean;
}

/** One value of the journal. `owner` keeps apart the segments of two who both believe that an epoch is theirs. */
export interface JournalSegment {
  readonly owner: string;
  readonly header?: JournalHeader | undefined;
  /** Index of the first of `digests`. */
  readonly from: number;
  readonly digests: ChunkDigests;
}

/** What a journal holds, read from its beginning. */
export interface Journal {
  readonly header: JournalHeader;
  readonly digests: ChunkDigests;
}

/** Writes the journal of a window until `stop`, which settles when all that is stored by then is written down. */
export function keepJournal(
  store: ByteStore,
  id: string,
  lease: Lease,
  window: TransferWindow,
  header: JournalHeader,
  onFault: (cause: unknown) => void,
): { stop(): Promise<void> } {
  let written = 0;
  let segment = 0;
  let isFaulty = false;
  const stopping = Promise.withResolvers<"stop">();

  const append = async () => {
    const until = wholeStoredChunks(window);
    const digests = window.digests.slice(written, until);
    const entry: JournalSegment = {
      owner: lease.owner,
      ...(segment === 0 && { header }),
      from: written,
      digests,
    };
    await store.write(partialKey(id, lease.epoch, segment), encodeJson(entry));
    written = until;
    segment += 1;
  };

  const writing = (async () => {
    await append();
    await removeJournals(store, id, lease.epoch - 1); // ours has by now what they had
    while ((await Promise.race([window.storedBeyond(written), stopping.promise])) !== "stop") {
      if (wholeStoredChunks(window) <= written) return; // a short chunk: the end
      await append();
    }
  })().catch((cause: unknown) => {
    isFaulty = true;
    onFault(cause);
  });

  return {
    async stop() {
      stopping.resolve("stop");
      await writing;
      if (!isFaulty && wholeStoredChunks(window) > written) await append().catch(onFault);
    },
  };
}

/** The last, short chunk is the manifest's to tell. */
function wholeStoredChunks(window: TransferWindow): number {
  return Math.min(window.storedCount, Math.floor(window.size / window.chunkBytes));
}

/** The newest usable journal of some epochs. */
export async function readJournal(
  store: ByteStore,
  id: string,
  epochs: readonly number[],
): Promise<Journal | undefined> {
  for (const epoch of epochs.toReversed()) {
    const digests: (string | null)[] = [];
    let header: JournalHeader | undefined;
    let owner: string | undefined;
    for (let index = 0; ; index++) {
      const segment = await readSegment(store, id, epoch, index, owner);
      if (!segment || segment.from !== digests.length) break;
      owner = segment.owner;
      header ??= segment.header;
      digests.push(...segment.digests);
    }
    if (header) return { header, digests };
  }
  return undefined;
}

/** A segment; `undefined` where there is none (yet), or none of this owner's. */
export async function readSegment(
  store: ByteStore,
  id: string,
  epoch: number,
  index: number,
  owner: string | undefined,
): Promise<JournalSegment | undefined> {
  const value = decodeJson(await store.read(partialKey(id, epoch, index)));
  if (!isSegment(value) || (owner !== undefined && value.owner !== owner)) return undefined;
  return index > 0 || value.header ? value : undefined;
}

/** Deletes an image's journals up to an epoch. */
export async function removeJournals(store: ByteStore, id: string, lastEpoch: number): Promise<void> {
  const folder = partialFolder(id);
  const keys = await store.list(folder);
  const old = keys.filter((key) => Number.parseInt(key.slice(folder.length), 10) <= lastEpoch);
  await Promise.all(old.map((key) => store.remove(key)));
}

const digestPattern = /^[0-9a-f]{64}$/;
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

function isSegment(value: unknown): value is JournalSegment {
  const { owner, header, from, digests } = (value ?? {}) as Partial<JournalSegment>;
  if (typeof owner !== "string" || !isCount(from) || !Array.isArray(digests)) return false;
  if (
    !digests.every((digest) => digest === null || (typeof digest === "string" && digestPattern.test(digest)))
  )
    return false;
  return header === undefined || isHeader(header);
}

function isHeader({ chunkBytes, mime, size, validators }: Partial<JournalHeader>): boolean {
  if (!isCount(chunkBytes) || chunkBytes === 0 || typeof mime !== "string") return false;
  return typeof validators?.fileType === "string" && (size === undefined || isCount(size));
}
