/** Continues an earlier transfer from its chunks in the store, with a range of the same file. */
import { crc32 } from "../crc32.ts";
import { isStrongEtag } from "../freshness/judge.ts";
import type { MemoryBudget } from "../memory/budget.ts";
import type { TransferWindow } from "../memory/window.ts";
import { type ChunkPlace, readChunk } from "../store/chunk-store.ts";
import type { Journal } from "../store/journal.ts";
import { ChunkUnavailable, readImage } from "../store/read-image.ts";
import type { ImagePart } from "../types.ts";
import { discard } from "../upstream/file-response.ts";
import type { OpenedParts, UpstreamFile } from "../upstream/job.ts";
import { partAt } from "../upstream/part-list.ts";
import type { RequestConditions } from "../upstream/request.ts";

/** What is looked at beyond the journal. */
export interface ResumeContext extends ChunkPlace {
  readonly memory: MemoryBudget;
  readonly signal: AbortSignal;
  /** Told of each chunk that was looked at. */
  moved(): void;
  open(conditions: RequestConditions): Promise<UpstreamFile>;
}

/**
 * Asks for the rest and adds what is there to the window. Returns the rest, the whole file if the upstream sent that
 * instead, or `undefined` if the journal can't be used.
 */
export async function resumeFrom(
  journal: Journal,
  window: TransferWindow,
  context: ResumeContext,
): Promise<UpstreamFile | undefined> {
  const { validators, size } = journal.header;
  if (!isResumable(journal, window) || !isStrongEtag(validators.etag)) return undefined;
  // A reader of this transfer has already seen the first ones.
  const sound = await soundChunks(journal, window.digests.length, journal.digests.length, context);
  const chunks = Math.min(chunksToKeep(journal), sound);
  if (chunks === 0) return undefined;
  const fromByte = chunks * journal.header.chunkBytes;
  const file = await context.open({ resume: { fromByte, etag: validators.etag } });
  const { response } = file;
  if (response.fromByte === 0) return file;
  const isSameFile = response.validators.etag === undefined || response.validators.etag === validators.etag;
  if (response.fromByte !== fromByte || !isSameFile || (size !== undefined && response.fileBytes !== size)) {
    await discard(response);
    return undefined;
  }
  const parts = file.parts && (await continuedParts(file.parts, journal, chunks, context));
  if (file.parts && !parts) {
    await discard(response);
    file.parts.supply.close();
    return undefined;
  }
  // Only now: if the file had changed, these chunks would not belong to it.
  for (let index = 0; index < chunks; index++)
    window.adopt(index, journal.digests[index]!, journal.header.chunkBytes);
  return parts ? { ...file, parts } : file;
}

/**
 * Parts that go on from stored chunks. Chunks are journaled before their part's checksum is known, so the finished parts are proven here. The
 * part that was under way is proven as a whole: it begins again, within a chunk whose first bytes are those of the part before.
 */
async function continuedParts(
  parts: OpenedParts,
  journal: Journal,
  chunks: number,
  context: ResumeContext,
): Promise<OpenedParts | undefined> {
  const { chunkBytes } = journal.header;
  const list = parts.supply.parts;
  if ((await soundChunks(journal, 0, chunks, context, checkParts(list))) < chunks) return undefined;
  const { start } = partAt(list, chunks * chunkBytes);
  const chunk = Math.floor(start / chunkBytes);
  const headBytes = start % chunkBytes;
  if (headBytes === 0) return { ...parts, mark: { chunk, head: new Uint8Array(0) } };
  const stored = await readChunk(context, journal.digests[chunk]!, chunkBytes);
  return stored && { ...parts, mark: { chunk, head: stored.slice(0, headBytes) } };
}

/** Says of each piece of an image, from the first on, whether all parts that have ended by then are right. */
function checkParts(parts: readonly ImagePart[]): (piece: Uint8Array) => boolean {
  let index = 0;
  let bytes = 0;
  let checksum = 0;
  return (piece) => {
    for (let at = 0; at < piece.length && index < parts.length; ) {
      const part = parts[index]!;
      const slice = piece.subarray(at, at + part.bytes - bytes);
      checksum = crc32(slice, checksum);
      bytes += slice.length;
      at += slice.length;
      if (bytes < part.bytes) continue;
      if (checksum !== part.crc32) return false;
      [index, bytes, checksum] = [index + 1, 0, 0];
    }
    return true;
  };
}

/** The image's bytes must be the file's, and the chunks those that readers already have. */
function isResumable({ header, digests }: Journal, window: TransferWindow): boolean {
  if (header.isInflated) return false;
  if (header.chunkBytes !== window.chunkBytes && !window.resize(header.chunkBytes)) return false;
  return (
    digests.length >= window.digests.length &&
    window.digests.every((digest, index) => digest === digests[index])
  );
}

/**
 * How many chunks from the first on the store really has, up to `end`, and `isRight` takes. A journal outlives chunks that were lost with a
 * power cut or deleted, and an image without them would be fetched twice by everyone and never be cached.
 */
async function soundChunks(
  { header: { chunkBytes }, digests }: Journal,
  start: number,
  end: number,
  context: ResumeContext,
  isRight: (chunk: Uint8Array) => boolean = () => true,
): Promise<number> {
  const image = { chunkBytes, size: digests.length * chunkBytes, chunks: digests };
  const source = readImage(context, image, start, end);
  let sound = start;
  try {
    for (let chunk = await source.next(); chunk; chunk = await source.next()) {
      context.signal.throwIfAborted();
      context.moved();
      if (!isRight(chunk)) return sound;
      sound += 1;
    }
    return end;
  } catch (failure) {
    if (failure instanceof ChunkUnavailable) return failure.index;
    throw failure;
  } finally {
    source.close();
  }
}

/** At least one byte must be left to ask for. */
function chunksToKeep({ header, digests }: Journal): number {
  return digests.length * header.chunkBytes === header.size ? digests.length - 1 : digests.length;
}
