/** The edit that writes files into a boot partition, and copies some of those that are there. */
import { EditError } from "../../core/errors.ts";
import type { EditableImage, ImageSpan } from "../../core/types.ts";
import type { FatFiles } from "./fat/files.ts";
import { mergedJson } from "./merged-json.ts";
import type { CheckedFile } from "./options.ts";
import { PatchedImage } from "./patched-image.ts";

/** A JSON file is read whole before an object is merged into it. */
const maxMergedBytes = 1024 * 1024;
const maxCopiedBytes = 64 * 1024 * 1024;

/** A file of the boot partition that is copied to another place in it. */
export interface FileCopy {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** What the image's boot partition becomes: the files are written first, then the copies are made. */
export async function editedSpans(
  image: EditableImage,
  open: (image: PatchedImage) => Promise<FatFiles>,
  files: readonly CheckedFile[],
  copies: readonly FileCopy[] = [],
): Promise<readonly ImageSpan[]> {
  const patched = new PatchedImage(image);
  const boot = await open(patched);
  for (const { path, content } of files) {
    image.signal.throwIfAborted();
    const bytes =
      content instanceof Uint8Array
        ? content
        : mergedJson(path.join("/"), await boot.read(path, maxMergedBytes), content);
    await boot.write(path, bytes);
  }
  for (const { from, to } of copies) {
    const bytes = await boot.read(from, maxCopiedBytes);
    if (!bytes) throw new EditError("damaged", `The boot partition has no ${from.join("/")} to copy`);
    await boot.write(to, bytes);
  }
  return patched.spans();
}
