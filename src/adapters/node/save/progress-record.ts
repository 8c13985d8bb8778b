/**
 * Notes how far a file has been written. The note is in the file itself, after the image's end, so that the two can't be separated. It is
 * only a hint where to continue, not a proof of the bytes. It disappears when the file is cut to the image's size.
 */
import type { FileHandle } from "node:fs/promises";
import { bounds } from "../../../core/bounds.ts";
import { isPositiveInteger } from "../../../core/checks.ts";

/** What a file holds of its image. */
export interface LeftProgress {
  /** Bytes from the beginning on that were written. */
  readonly writtenBytes: number;
  /** Bytes of the image's chunks. */
  readonly chunkBytes: number;
}

// Within one block, so that it is never half there.
const recordBytes = 16;
const blockBytes = 4096;

/** Notes it. Records may overtake each other: an older one only says less. */
export async function writeProgress(
  file: FileHandle,
  imageBytes: number,
  { writtenBytes, chunkBytes }: LeftProgress,
): Promise<void> {
  const record = bytesOf(new Float64Array([writtenBytes, chunkBytes]));
  await file.write(record, 0, recordBytes, positionIn(imageBytes));
}

/** Reads it; `undefined` if there is none, or none that makes sense. */
export async function readProgress(file: FileHandle, imageBytes: number): Promise<LeftProgress | undefined> {
  const record = new Float64Array(2);
  await file.read(bytesOf(record), 0, recordBytes, positionIn(imageBytes));
  const [writtenBytes = 0, chunkBytes = 0] = record;
  if (!isPositiveInteger(writtenBytes) || !isPositiveInteger(chunkBytes)) return undefined; // zeros, if it is cut off
  const isPlausible =
    chunkBytes <= bounds.chunkBytes &&
    (writtenBytes === imageBytes || (writtenBytes < imageBytes && writtenBytes % chunkBytes === 0));
  return isPlausible ? { writtenBytes, chunkBytes } : undefined;
}

/** Deno writes other views than those of bytes at the file's current place: over the image. */
function bytesOf({ buffer }: Float64Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer);
}

function positionIn(imageBytes: number): number {
  return Math.ceil(imageBytes / blockBytes) * blockBytes;
}
