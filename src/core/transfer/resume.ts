/** Continues an earlier transfer from its chunks in the store, with a range of the same file. */
import { isStrongEtag } from "../freshness/judge.ts";
import type { TransferWindow } from "../memory/window.ts";
import type { WirePieces } from "../sharing/wire-pieces.ts";
import type { Journal } from "../store/journal.ts";
import { discard } from "../upstream/file-response.ts";
import type { UpstreamFile } from "../upstream/job.ts";
import { areOfParts } from "../upstream/part-list.ts";
import { resumeParts } from "./resume-parts.ts";
import { chunksToKeep, type ResumeContext, soundChunks } from "./sound-chunks.ts";

/**
 * Asks for the rest and adds what is there to the window. Returns the rest, the whole file if the upstream sent that
 * instead, or `undefined` if the journal can't be used.
 */
export async function resumeFrom(
  journal: Journal,
  window: TransferWindow,
  pieces: WirePieces,
  context: ResumeContext,
): Promise<UpstreamFile | undefined> {
  const { validators, size } = journal.header;
  if (!isResumable(journal, window) || !isStrongEtag(validators.etag)) return undefined;
  if (areOfParts(validators)) return resumeParts(journal, window, pieces, context);
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
  // Only now: if the file had changed, these chunks would not belong to it.
  for (let index = 0; index < chunks; index++)
    window.adopt(index, journal.digests[index]!, journal.header.chunkBytes);
  return file;
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
