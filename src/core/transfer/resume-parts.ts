/**
 * Continues an earlier transfer of an image in parts. Finished parts are in the stored chunks. The part that was under way is inflated
 * again from the bytes that were kept of it, and compared with the chunks that it has made; what is missing of it comes from the upstream.
 */
import { crc32 } from "../crc32.ts";
import type { TransferWindow } from "../memory/window.ts";
import type { WirePieces } from "../sharing/wire-pieces.ts";
import { readChunk } from "../store/chunk-store.ts";
import type { Journal } from "../store/journal.ts";
import type { WireParts } from "../store/wire.ts";
import type { FilePart } from "../upstream/file-parts.ts";
import { discard } from "../upstream/file-response.ts";
import type { SinkMark, UpstreamFile, UpstreamParts } from "../upstream/job.ts";
import { partAt, sum } from "../upstream/part-list.ts";
import { chunksThere, chunksToKeep, type ResumeContext, soundChunks } from "./sound-chunks.ts";

/** See `resumeFrom`. */
export async function resumeParts(
  journal: Journal,
  window: TransferWindow,
  pieces: WirePieces,
  context: ResumeContext,
): Promise<UpstreamFile | undefined> {
  const { chunkBytes, validators } = journal.header;
  const named = chunksToKeep(journal);
  const fromByte = Math.max(1, named * chunkBytes);
  const file = await context.open({ resume: { fromByte, etag: validators.etag! } });
  // Another list of parts, or one file: it comes whole.
  if (!file.parts || file.parts.first) return wholeOrNothing(file);
  const list = file.parts.supply.parts;
  const chunks = await rightChunks(journal, named, list, context);
  const { index, start } = partAt(list, chunks * chunkBytes);
  const mark = await markAt(start, journal, context);
  const kept = keptFrom(index, journal.wire, list);
  // Chunks of a part of which nothing is kept are right only if the whole part is: nobody is to read them before.
  const usable = kept.has(index) ? chunks : Math.min(chunks, mark?.chunk ?? 0);
  if (!mark || (usable === 0 && kept.size === 0)) {
    file.parts.supply.close();
    return undefined;
  }
  if (!kept.has(index)) window.takeBack(usable);
  for (let chunk = 0; chunk < usable; chunk++) window.adopt(chunk, journal.digests[chunk]!, chunkBytes);
  pieces.inherit(kept, Math.min(journal.provenParts, index));
  const parts: UpstreamParts = { ...file.parts, mark };
  return {
    ...file,
    response: { ...file.response, fromByte: kept.has(index) ? chunks * chunkBytes : start },
    parts,
  };
}

async function wholeOrNothing(file: UpstreamFile): Promise<UpstreamFile | undefined> {
  if (file.response.fromByte === 0) return file;
  await discard(file.response);
  return undefined;
}

/**
 * How many chunks from the first on the store has, and no finished part is wrong with. Chunks are journaled before their part's checksum is
 * known, so parts of which the journal does not say that they have passed their check are checked here. Chunks of the others are not even
 * read: what a run has to do again must not grow with the image. Nor are those of a part that is going to be inflated again: they are only
 * looked for, and compared then. If a chunk is lost or damaged all the same, it is healed when it is read.
 */
async function rightChunks(
  journal: Journal,
  named: number,
  list: readonly FilePart[],
  context: ResumeContext,
): Promise<number> {
  const { chunkBytes } = journal.header;
  const provenBytes = sum(list.slice(0, journal.provenParts), "bytes");
  const first = Math.min(named, Math.floor(provenBytes / chunkBytes));
  const isInflatedAgain = journal.wire.has(journal.provenParts);
  if (isInflatedAgain && partAt(list, named * chunkBytes).index === journal.provenParts)
    return chunksThere(journal, first, named, context);
  const check = checkParts(list, journal.provenParts, first * chunkBytes);
  const sound = await soundChunks(journal, first, named, context, check.isRight);
  return Math.min(sound, Math.floor(check.rightBytes / chunkBytes));
}

/** The part begins again, within a chunk whose first bytes are those of the part before. */
async function markAt(
  start: number,
  { header: { chunkBytes }, digests }: Journal,
  context: ResumeContext,
): Promise<SinkMark | undefined> {
  const chunk = Math.floor(start / chunkBytes);
  const headBytes = start % chunkBytes;
  if (headBytes === 0) return { chunk, head: new Uint8Array(0) };
  const stored = await readChunk(context, digests[chunk]!, chunkBytes);
  return stored && { chunk, head: stored.slice(0, headBytes) };
}

/** Of the part that was under way, and of those after it whose last chunks had not been stored yet. */
function keptFrom(index: number, wire: WireParts, list: readonly FilePart[]): WireParts {
  return new Map([...wire].filter(([part]) => part >= index && part < list.length));
}

/** Says of each piece of an image, from a byte on, whether all parts that have ended by then are right. The first ones are known to be. */
function checkParts(parts: readonly FilePart[], provenParts: number, fromByte: number) {
  let index = Math.min(provenParts, parts.length);
  let start = sum(parts.slice(0, index), "bytes");
  let provenBytes = Math.max(0, start - fromByte);
  let bytes = 0;
  let checksum = 0;
  let isWrong = false;
  return {
    isRight(piece: Uint8Array): boolean {
      const skipped = Math.min(provenBytes, piece.length);
      provenBytes -= skipped;
      for (let at = skipped; at < piece.length && index < parts.length; ) {
        const part = parts[index]!;
        const slice = piece.subarray(at, at + part.bytes - bytes);
        checksum = crc32(slice, checksum);
        bytes += slice.length;
        at += slice.length;
        if (bytes < part.bytes) continue;
        // One that is delivered as it is sent can't be checked by its own bytes: what is kept of it is inflated again.
        isWrong = part.packed !== undefined || checksum !== part.crc32;
        if (isWrong) return false;
        start += part.bytes;
        [index, bytes, checksum] = [index + 1, 0, 0];
      }
      return true;
    },
    /** Up to where nothing is known to be wrong. */
    get rightBytes(): number {
      return isWrong ? start : Number.POSITIVE_INFINITY;
    },
  };
}
