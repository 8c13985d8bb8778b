/** Continues the file of an interrupted save, and then verifies all of it. Bytes that were left are not trusted. */
import type { GetOptions, ImageManager, ImageStream, Progress } from "../../../core/types.ts";
import { assertRoom, onDisk } from "./disk.ts";
import { discardDraft, type KnownImage, type LeftDraft, leaveDraft, placeDraft } from "./draft.ts";
import type { CheckedSaveOptions } from "./options.ts";
import { writeProgress } from "./progress-record.ts";
import { holdsImage } from "./prove-file.ts";
import { fill, knownImage, orLeave, type SavedImage, savedImage } from "./save-whole.ts";

/** `undefined` if the draft turns out not to hold the image, or the cache to hold another one by now. */
export async function resumeSave(
  manager: Pick<ImageManager, "get">,
  image: ImageStream,
  draft: LeftDraft,
  options: CheckedSaveOptions,
): Promise<SavedImage | undefined> {
  const { target, writtenBytes: resumedBytes } = draft;
  const known = knownImage(image)!; // else there were no draft of it
  if (options.checkSpace) await assertRoomOrLeave(draft, known);
  return orLeave(draft, known.etag, async () => {
    await cutOff(draft, known.size);
    const rest = await getRest(manager, image, resumedBytes, options.get);
    if (rest) {
      const { holeBytes } = await fill(draft, rest, known, options, draft);
      if (await holdsImage(draft, { ...known, chunkBytes: draft.chunkBytes }, options.get.signal)) {
        await placeDraft(draft, known.size, options.fsync);
        return savedImage(image, target, { ...known, holeBytes, resumedBytes });
      }
    }
    await discardDraft(draft);
    return undefined;
  });
}

/** What there is stays: with some room made, the next save goes on with it. */
export async function assertRoomOrLeave(draft: LeftDraft, { etag, size }: KnownImage): Promise<void> {
  try {
    await assertRoom(draft.target, size - draft.writtenBytes);
  } catch (failure) {
    await leaveDraft(draft, etag);
    throw failure;
  }
}

/** The bytes of this very image from there on, without asking the upstream again. */
export async function getRest(
  manager: Pick<ImageManager, "get">,
  { deviceType, version, etag, size }: ImageStream,
  start: number,
  options: GetOptions,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  if (start === size) return noPieces();
  const rest = await manager.get(deviceType, version, {
    ...options,
    cache: options.cache === "only-if-cached" ? "only-if-cached" : "force-cache",
    range: { start },
    onProgress: options.onProgress && ((progress) => options.onProgress?.(withStart(progress, start))),
  });
  if (rest.etag === etag && rest.size === size) return rest;
  await rest.cancel();
  return undefined;
}

async function* noPieces(): AsyncGenerator<Uint8Array> {}

/** What was written behind the part that counts must not show through the holes to come. */
export async function cutOff(
  { target, file, writtenBytes, chunkBytes }: LeftDraft,
  imageBytes: number,
): Promise<void> {
  await onDisk(target.path, async () => {
    await file.truncate(writtenBytes);
    await writeProgress(file, imageBytes, { writtenBytes, chunkBytes });
  });
}

/** The progress of the whole image, while only its rest is got. */
function withStart({ transferredBytes, totalBytes, ...rates }: Progress, start: number): Progress {
  const transferred = start + transferredBytes;
  if (totalBytes === undefined) return { ...rates, transferredBytes: transferred };
  const total = start + totalBytes;
  return { ...rates, transferredBytes: transferred, totalBytes: total, percent: (100 * transferred) / total };
}
