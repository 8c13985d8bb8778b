/**
 * The journal of a running transfer lists the chunks that are already in the store. It is written in segments that never change. Other
 * processes follow the transfer by it, or continue it if its process died.
 */

import { bounds } from "../bounds.ts";
import { isChunkDigests, isCount, isMediaType, isName, isOptional, isRecord, isTime } from "../checks.ts";
import type { ChunkDigests } from "../digest.ts";
import { eachOf } from "../each.ts";
import type { Validators } from "../freshness/validators.ts";
import { isValidators } from "../freshness/validators.ts";
import { type ImageIdentity, imageId, isIdentity } from "../identity.ts";
import type { ByteStore } from "./byte-store.ts";
import { decodeSealed, encodeSealed } from "./json.ts";
import { partialFolder, partialKey, wireKey } from "./keys.ts";
import { isStoredChunks, type StoredChunk, type StoredChunks } from "./stored-chunk.ts";
import { addWireNews, isWireNews, type WireNews, type WireParts, type WirePiece } from "./wire.ts";

/** What the first segment says of the transfer. */
export interface JournalHeader {
  readonly identity: ImageIdentity;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly chunkBytes: number;
  readonly mime: string;
  /** Bytes of the image, if known. */
  readonly size?: number | undefined;
  readonly validators: Validators;
  /** The file is inflated on the way: its bytes are not the image's, so no range of it goes on from a chunk. */
  readonly isInflated: boolean;
  /** Owners that had died before this one, and how many of them in vain. Default 0. */
  readonly killed?: number | undefined;
  readonly inVain?: number | undefined;
}

/** One value of the journal. `owner` keeps apart the segments of two processes that both believe that an epoch is theirs. */
export interface JournalSegment {
  readonly owner: string;
  readonly header?: JournalHeader | undefined;
  /** Index of the first of `digests`. From this index on, earlier segments do not count any more. */
  readonly from: number;
  readonly digests: ChunkDigests;
  /** What is known of these chunks as they lie in the store. Absent if they all lie as they are. */
  readonly stored?: StoredChunks | undefined;
  /** How far the upstream's file had come with them: followers' progress. */
  readonly file?: { readonly bytes: number; readonly totalBytes: number } | undefined;
  /** Compressed bytes of parts that are under way. */
  readonly wire?: WireNews | undefined;
}

/** What a journal holds, read from its beginning. */
export interface Journal {
  readonly header: JournalHeader;
  readonly digests: ChunkDigests;
  /** What is known of these chunks. */
  readonly stored: StoredChunks;
  /** Compressed bytes of the parts that were under way. */
  readonly wire: WireParts;
  /** How many parts, from the first on, have passed their check. */
  readonly provenParts: number;
  /** Whether the journal says of a piece that it names that it is stored. */
  isStored(piece: WirePiece): boolean;
  /** Whether its owner got further than the owner before. */
  readonly hasGained: boolean;
}

/** The newest usable journal of some epochs. */
export async function readJournal(
  store: ByteStore,
  id: string,
  epochs: readonly number[],
): Promise<Journal | undefined> {
  for (const epoch of epochs.toReversed()) {
    const digests: (string | null)[] = [];
    const stored: (StoredChunk | null)[] = [];
    const wire = new Map<number, WirePiece[]>();
    let header: JournalHeader | undefined;
    let owner: string | undefined;
    let provenParts = 0;
    let chunksAtFirst = 0;
    let storedBelow = 0;
    for (let index = 0; ; index++) {
      const segment = await readSegment(store, id, epoch, index, owner);
      if (!segment || segment.from > digests.length) break;
      digests.length = segment.from; // later chunks were taken back
      if (!isWithinSize(header ?? segment.header, digests.length + segment.digests.length)) break;
      owner = segment.owner;
      header ??= segment.header;
      if (index === 0) chunksAtFirst = segment.digests.length;
      stored.length = segment.from;
      for (const [offset, digest] of segment.digests.entries()) {
        digests.push(digest); // one by one: engines limit how many arguments there may be
        stored.push(segment.stored?.[offset] ?? null);
      }
      if (segment.wire) addWireNews(wire, segment.wire);
      provenParts = segment.wire?.provenParts ?? provenParts;
      storedBelow = segment.wire?.storedBelow ?? storedBelow;
    }
    if (!header) continue;
    const isStored = (piece: WirePiece) => piece.epoch !== epoch || piece.n < storedBelow;
    const ownPiece = [...wire.values()].flat().find((piece) => piece.epoch === epoch);
    const hasPiece = async () => ownPiece !== undefined && (await store.has(wireKey(id, ownPiece)));
    const hasGained = digests.length > chunksAtFirst || (await hasPiece());
    return { header, digests, stored, wire, provenParts, isStored, hasGained };
  }
  return undefined;
}

/** A journal lists whole chunks. A journal with more chunks than the image has room for is not valid. */
function isWithinSize(header: JournalHeader | undefined, chunks: number): boolean {
  return header !== undefined && chunks * header.chunkBytes <= (header.size ?? Number.MAX_SAFE_INTEGER);
}

/** A segment; `undefined` if this owner has written none (yet). */
export async function readSegment(
  store: ByteStore,
  id: string,
  epoch: number,
  index: number,
  owner: string | undefined,
): Promise<JournalSegment | undefined> {
  const key = partialKey(id, epoch, index);
  const value = await decodeSealed(key, await store.read(key));
  if (!isSegment(value) || (owner !== undefined && value.owner !== owner)) return undefined;
  if (index > 0) return value;
  return value.header && (await imageId(value.header.identity)) === id ? value : undefined;
}

/** Writes a segment. A key is written once, by the one who holds the epoch's lease. */
export async function writeSegment(
  store: ByteStore,
  id: string,
  epoch: number,
  index: number,
  segment: JournalSegment,
): Promise<void> {
  const key = partialKey(id, epoch, index);
  await store.write(key, await encodeSealed(key, segment));
}

/**
 * Deletes the journals of some epochs, last segment first: a process that dies meanwhile leaves a journal that can still be read. The pieces
 * that they name go before them, except those under the `kept` keys.
 */
export async function removeJournals(
  store: ByteStore,
  id: string,
  epochs: readonly number[],
  kept: ReadonlySet<string> = new Set(),
): Promise<void> {
  await eachOf(epochs, async (epoch) => {
    const { count, wire } = await lookThrough(store, id, epoch);
    const pieces = [...wire.values()].flat().map((piece) => wireKey(id, piece));
    await store.removeMany(pieces.filter((key) => !kept.has(key)));
    await removeSegments(store, id, epoch, count);
  });
}

/** The same for one whose segments were counted. */
export async function removeSegments(
  store: ByteStore,
  id: string,
  epoch: number,
  count: number,
): Promise<void> {
  const segments = Array.from({ length: count }, (_, index) => count - 1 - index);
  await store.removeMany(segments.map((segment) => partialKey(id, epoch, segment)));
}

/** Deletes all journals of an image, of all epochs. It lists keys, so a get must not wait for it. */
export async function removeAllJournals(store: ByteStore, id: string): Promise<void> {
  await store.removeMany(await store.list(partialFolder(id)));
}

/** How many segments there are, whoever wrote them, and the pieces that they name. Some at a time, for a store may be far away. */
async function lookThrough(store: ByteStore, id: string, epoch: number) {
  const wire = new Map<number, WirePiece[]>();
  for (let count = 0, atATime = 1; ; atATime = 16) {
    const keys = Array.from({ length: atATime }, (_, offset) => partialKey(id, epoch, count + offset));
    const found = await Promise.all(keys.map((key) => store.read(key)));
    const missing = found.indexOf(undefined);
    for (const [index, key] of keys.slice(0, missing < 0 ? atATime : missing).entries()) {
      const segment = await decodeSealed(key, found[index]);
      if (isSegment(segment) && segment.wire) addWireNews(wire, segment.wire);
    }
    if (missing >= 0) return { count: count + missing, wire };
    count += atATime;
  }
}

function isSegment(value: unknown): value is JournalSegment {
  if (!isRecord(value)) return false;
  const { owner, header, from, digests, stored, file, wire } = value;
  if (!isName(owner) || !isCount(from) || !isChunkDigests(digests)) return false;
  if (!isOptional((of) => isStoredChunks(of) && of.length === digests.length, stored)) return false;
  return isOptional(isHeader, header) && isOptional(isFilePosition, file) && isOptional(isWireNews, wire);
}

function isFilePosition(value: unknown): boolean {
  return isRecord(value) && isCount(value["bytes"]) && isCount(value["totalBytes"]);
}

function isHeader(value: unknown): value is JournalHeader {
  if (!isRecord(value)) return false;
  const { identity, startedAt, chunkBytes, mime, size, validators, isInflated, killed, inVain } = value;
  if (!isOptional(isCount, killed) || !isOptional(isCount, inVain)) return false;
  if (!isIdentity(identity) || !isTime(startedAt) || !isChunkSize(chunkBytes) || !isMediaType(mime))
    return false;
  if (!isValidators(validators) || !isOptional(isCount, size) || typeof isInflated !== "boolean")
    return false;
  // Another file than the image is made of would be read on as if it were the image.
  const { fileType } = identity.variant;
  return fileType ? validators.fileType === fileType : [".gz", ".img"].includes(validators.fileType);
}

/** Those that `createImageManager` takes: the reader takes over the size. */
const isChunkSize = (value: unknown): boolean =>
  isCount(value) && value >= bounds.leastChunkBytes && value <= bounds.chunkBytes;
