/**
 * Continues the file of an interrupted save of an edited image. Its ETag is a keyed hash, which can't prove a file. So the image is read
 * from its beginning, and what the file has of it is compared.
 */
import { detachIfWhole } from "../../../core/memory/free.ts";
import type { ImageStream } from "../../../core/types.ts";
import { writeFully } from "../../fs/write-fully.ts";
import { onDisk } from "./disk.ts";
import { type LeftDraft, placeDraft } from "./draft.ts";
import type { CheckedSaveOptions } from "./options.ts";
import { assertRoomOrLeave, cutOff } from "./resume-save.ts";
import { fill, knownImage, orCancel, orLeave, type SavedImage, savedImage } from "./save-whole.ts";

/** Bytes that differ are written again. */
export async function resumeEdited(
  image: ImageStream,
  draft: LeftDraft,
  options: CheckedSaveOptions,
): Promise<SavedImage> {
  const known = knownImage(image)!; // else there were no draft of it
  if (options.checkSpace) await orCancel(image, () => assertRoomOrLeave(draft, known));
  return orLeave(draft, known.etag, async () => {
    await orCancel(image, () => cutOff(draft, known.size));
    const compared = { resumedBytes: 0 };
    const { holeBytes } = await fill(draft, restOf(image, draft, compared), known, options, draft);
    await placeDraft(draft, known.size, options.fsync);
    return savedImage(image, draft.target, { ...known, holeBytes, ...compared });
  });
}

/** The pieces after those that the file has. */
async function* restOf(
  image: ImageStream,
  { file, target, writtenBytes }: LeftDraft,
  compared: { resumedBytes: number },
): AsyncGenerator<Uint8Array> {
  let position = 0;
  for await (const piece of image) {
    const known = piece.subarray(0, Math.max(0, writtenBytes - position));
    const at = position;
    position += piece.length;
    if (known.length > 0) {
      const isSame = await onDisk(target.path, () => holds(file, known, at));
      if (isSame) compared.resumedBytes += known.length;
      else await onDisk(target.path, () => writeFully(file, known, [0, known.length], at));
    }
    if (known.length < piece.length) yield piece.subarray(known.length);
    else detachIfWhole(piece);
  }
}

async function holds(file: LeftDraft["file"], bytes: Uint8Array, position: number): Promise<boolean> {
  const there = Buffer.allocUnsafe(bytes.length);
  for (let read = 0; read < there.length; ) {
    const { bytesRead } = await file.read(there, read, there.length - read, position + read);
    if (bytesRead === 0) return false;
    read += bytesRead;
  }
  return there.equals(bytes);
}
