/** Takes up what an earlier transfer left in the store, by a range of the very file that it was reading. */
import { isStrongEtag } from "../freshness/judge.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import type { ChunkPlace } from "../store/chunk-store.ts";
import type { Journal } from "../store/journal.ts";
import { ChunkUnavailable, readImage } from "../store/read-image.ts";
import type { OpenedFile } from "./read-upstream-file.ts";
import { discard, type RequestConditions } from "./request.ts";
import type { TransferWindow } from "./window.ts";

/** What is looked at beyond the journal. */
export interface ResumeContext extends ChunkPlace {
  readonly memory: MemoryBudget;
  readonly signal: AbortSignal;
  /** Told of each chunk that was looked at. */
  moved(): void;
  open(conditions: RequestConditions): Promise<OpenedFile>;
}

/**
 * Asks for the rest and adds what is there to the window. Gives the opened rest, the whole file where the upstream sent that
 * instead, or `undefined` where the journal is of no use.
 */
export async function resumeFrom(
  journal: Journal,
  window: TransferWindow,
  context: ResumeContext,
): Promise<OpenedFile | undefined> {
  const { validators, size } = journal.header;
  if (!isResumable(journal, window) || !isStrongEtag(validators.etag)) return undefined;
  const chunks = Math.min(chunksToKeep(journal), await soundChunks(journal, window.digests.length, context));
  if (chunks === 0) return undefined;
  const fromByte = chunks * journal.header.chunkBytes;
  const opened = await context.open({ resume: { fromByte, etag: validators.etag } });
  const { response } = opened;
  if (response.fromByte === 0) return opened;
  const isSameFile = response.validators.etag === undefined || response.validators.etag === validators.etag;
  if (response.fromByte !== fromByte || !isSameFile || (size !== undefined && response.fileBytes !== size)) {
    await discard(response);
    return undefined;
  }
  // Only now: had the file changed, these chunks would be none of it.
  for (let index = 0; index < chunks; index++)
    window.adopt(index, journal.digests[index]!, journal.header.chunkBytes);
  return opened;
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
 * Chunks from the first on that the store really has: a journal outlives chunks that were lost with a power cut or deleted,
 * and an image without them would be fetched twice by everyone and never be cached. Who read along (`known`) saw them come.
 */
async function soundChunks(
  { header: { chunkBytes }, digests }: Journal,
  known: number,
  context: ResumeContext,
): Promise<number> {
  const image = { chunkBytes, size: digests.length * chunkBytes, chunks: digests };
  const source = readImage(context, image, known, digests.length);
  try {
    while (await source.next()) {
      context.signal.throwIfAborted();
      context.moved();
    }
    return digests.length;
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
