/** Runs the edits of a get, before its stream begins. Each sees the image with what the earlier ones have laid over it. */
import type { ManagerContext } from "../../context.ts";
import type { ChunkDigests } from "../../digest.ts";
import { EditError, ImageChangedError, isImageManagerError } from "../../errors.ts";
import { foreignError } from "../../foreign-error.ts";
import type { ImageEdit } from "../../types.ts";
import { unlessAborted } from "../../waiting.ts";
import type { ChunkAccess } from "./chunk-access.ts";
import { createEditableImage } from "./editable-image.ts";
import { checkedLayer, type Layer } from "./spans.ts";

/** What the edits made of an image. */
export interface Edited {
  /** Bytes of the image. */
  readonly size: number;
  readonly layers: readonly Layer[];
  /** Digests of the chunks that the edits have read, by index: from another image, the edits would have made something else. */
  readonly seen: ReadonlyMap<number, string | null>;
}

/**
 * @throws {ImageManagerError} `EDIT`, `INVALID_ARGUMENT`, and what makes the image unreadable; an aborted signal's reason.
 */
export async function runEdits(
  context: Pick<ManagerContext, "memory">,
  edits: readonly ImageEdit[],
  access: ChunkAccess,
  signal: AbortSignal,
): Promise<Edited> {
  const over = new AbortController();
  const wanted = AbortSignal.any([signal, over.signal]);
  const size = await unlessAborted(signal, () => access.size());
  const layers: Layer[] = [];
  const { image, seen, close } = createEditableImage(context.memory, access, size, layers, wanted);
  try {
    for (const edit of edits) {
      const answer = await unlessAborted(signal, () => answerOf(edit, image));
      layers.push(checkedLayer(answer, size));
    }
    return { size, layers, seen };
  } finally {
    over.abort(new EditError("failed", "The edit is over, so its image can't be read any more"));
    close();
  }
}

/**
 * Makes sure that what the edits have read is what the transfer brings: chunks may be replaced as long as their part is not proven.
 * @throws {ImageChangedError} `IMAGE_CHANGED`
 */
export function assertStillSeen(seen: Edited["seen"], digests: ChunkDigests): void {
  for (const [index, digest] of seen) {
    if (index < digests.length && digests[index] !== digest)
      throw new ImageChangedError(
        `The upstream's bytes of this version changed after the edit (chunk ${index})`,
      );
  }
}

async function answerOf(edit: ImageEdit, image: Parameters<ImageEdit>[0]): Promise<unknown> {
  try {
    return await edit(image);
  } catch (cause) {
    if (isImageManagerError(cause)) throw cause;
    throw new EditError("failed", "The edit failed", { cause: foreignError(cause) });
  }
}
