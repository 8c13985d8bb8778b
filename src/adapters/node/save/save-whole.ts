/** Saves an image from its first byte, with the steps that a continued save needs too. */
import { isImageManagerError } from "../../../core/errors.ts";
import type { ImageStream } from "../../../core/types.ts";
import { assertRoom } from "./disk.ts";
import { type Draft, discardDraft, type KnownImage, leaveDraft, newDraft, placeDraft } from "./draft.ts";
import type { CheckedSaveOptions } from "./options.ts";
import { type LeftProgress, writeProgress } from "./progress-record.ts";
import type { Target } from "./target.ts";
import { type Written, writePieces } from "./write-pieces.ts";

/** What {@link saveImage} resolves with. */
export interface SavedImage extends Pick<ImageStream, "deviceType" | "version" | "mime" | "origin"> {
  /** Absolute path of the file, with links followed. */
  readonly path: string;
  /** Bytes of the image, and of the file. */
  readonly size: number;
  /** Strong ETag of the image, with its quotes. Absent if the image is not cached. An edited image has it if it came from the cache. */
  readonly etag?: string;
  /** Bytes of zeros that this call left as holes in the file. */
  readonly holeBytes: number;
  /** Bytes that an earlier save had already written. */
  readonly resumedBytes: number;
}

/** Saves it into a new file. */
export async function saveWhole(
  image: ImageStream,
  target: Target,
  options: CheckedSaveOptions,
): Promise<SavedImage> {
  const draft = await orCancel(image, async () => {
    if (options.checkSpace) await assertRoom(target, image.size ?? 0);
    return newDraft(target, image.etag);
  });
  return orLeave(draft, image.etag, async () => {
    const { end, holeBytes } = await fill(draft, image, knownImage(image), options);
    // Rejects if nothing proves that the download was complete: then nothing gets the target's name.
    const stored = image.etag === undefined ? await image.committed() : undefined;
    const etag = image.etag ?? (image.edited ? undefined : stored?.etag);
    await placeDraft(draft, end, options.fsync);
    return savedImage(image, target, { size: end, etag, holeBytes, resumedBytes: 0 });
  });
}

/** What identifies an image; only one that is in the cache says it ahead. */
export function knownImage({ etag, size }: ImageStream): KnownImage | undefined {
  return etag === undefined || size === undefined ? undefined : { etag, size };
}

/** Writes pieces at the present end of the file, and notes the progress if it can be of use. */
export async function fill(
  { file, target }: Draft,
  pieces: AsyncIterable<Uint8Array>,
  image: KnownImage | undefined,
  { concurrency, get: { signal } }: CheckedSaveOptions,
  left?: LeftProgress,
): Promise<Written> {
  const start = left?.writtenBytes ?? 0;
  let notedBytes = start;
  const onWritten = async (writtenBytes: number, firstPieceBytes: number) => {
    if (!image || writtenBytes <= notedBytes) return;
    notedBytes = writtenBytes;
    await writeProgress(file, image.size, { writtenBytes, chunkBytes: left?.chunkBytes ?? firstPieceBytes });
  };
  const written = await writePieces(pieces, file, { path: target.path, start, concurrency, onWritten });
  signal?.throwIfAborted();
  return written;
}

/** A draft is left for the next save, unless that could not tell what it is, or the disk itself has failed: it may be full. */
export async function orLeave<T>(draft: Draft, etag: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (failure) {
    const isDiskFault = isImageManagerError(failure) && failure.code === "STORE";
    if (etag === undefined || isDiskFault) await discardDraft(draft);
    else await leaveDraft(draft, etag);
    throw failure;
  }
}

/** Does something before a stream is read; should it fail, nobody will. */
export async function orCancel<T>(image: ImageStream, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (failure) {
    await image.cancel(failure).catch(() => {}); // one that was aborted
    throw failure;
  }
}

/** The report. */
export function savedImage(
  { deviceType, version, mime, origin }: ImageStream,
  { path }: Target,
  { etag, ...facts }: Pick<SavedImage, "size" | "holeBytes" | "resumedBytes"> & { etag: string | undefined },
): SavedImage {
  return { path, deviceType, version, mime, origin, ...facts, ...(etag !== undefined && { etag }) };
}
