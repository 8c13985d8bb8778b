/** Runs the edits of a get on the way that was found to its image. */
import type { ManagerContext } from "../../context.ts";
import { InvalidArgumentError } from "../../errors.ts";
import type { ImageReader } from "../../store/read-image.ts";
import type { ImageEdit, ImageStream } from "../../types.ts";
import type { CachedWay, Way } from "../find-way.ts";
import type { ResolvedGet } from "../resolved-get.ts";
import { accessCached } from "./cached-access.ts";
import type { ChunkAccess } from "./chunk-access.ts";
import { etagOfEdited } from "./etag.ts";
import { openReader } from "./open-reader.ts";
import { type Edited, runEdits } from "./run-edits.ts";
import { accessTransfer } from "./transfer-access.ts";

/** The edits of a get, in order. */
export interface Edits {
  readonly kind: NonNullable<ImageStream["edited"]>;
  readonly edits: readonly ImageEdit[];
}

/** What an edited stream has to be like. */
export interface EditedImage extends Edited {
  readonly kind: Edits["kind"];
  /** Known if the image is cached, and the same each time. */
  readonly etag: string | undefined;
  /** Its chunks, from the first on that the stream needs, if the image is cached. Whoever takes it closes it. */
  readonly reader: ImageReader | undefined;
}

/** Until `close` is called, the image that was edited stays within reach: the stream is to be opened before. */
export interface EditedWay {
  readonly edited: EditedImage;
  close(): void;
}

/** Rejects with what {@link runEdits} does. */
export async function editImage(
  context: ManagerContext,
  get: ResolvedGet,
  way: Way,
  { edits, kind }: Edits,
): Promise<EditedWay> {
  const reader = way.kind === "cached" ? readerOf(context, get, way) : undefined;
  const access = accessOf(context, get, way, reader);
  try {
    const edited = await runEdits(context, edits, access, get.signal);
    const etag =
      way.kind === "cached" && kind === "repeatable"
        ? await etagOfEdited(context.editKey, way.manifest.digest, edited.layers)
        : undefined;
    return { edited: { ...edited, kind, etag, reader }, close: access.close };
  } catch (failure) {
    access.close();
    reader?.close();
    throw failure;
  }
}

const readerOf = (context: ManagerContext, { id, span }: ResolvedGet, { manifest, reader }: CachedWay) =>
  reader ?? openReader(context, id, manifest, span);

function accessOf(
  context: ManagerContext,
  get: ResolvedGet,
  way: Way,
  reader: ImageReader | undefined,
): ChunkAccess {
  if (way.kind === "cached") return accessCached(context, get, way.manifest, reader!);
  return accessTransfer(context, get, way.transfer, way.head);
}

/**
 * The edits of a get: first what its image follows by from a plainer one, then the caller's.
 *
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for a range of what the next get would not find again.
 */
export function editsOf(
  derived: { readonly edit: ImageEdit; readonly isNewEachTime?: boolean | undefined } | undefined,
  edit: ImageEdit | undefined,
  isRange: boolean,
): Edits | undefined {
  const edits = [derived?.edit, edit].filter((one) => one !== undefined);
  if (edits.length === 0) return undefined;
  if (!derived?.isNewEachTime) return { kind: "repeatable", edits };
  if (!isRange) return { kind: "new-each-time", edits };
  throw new InvalidArgumentError(
    '"range" is not possible: each get of this image has a new configuration, so parts of two would not fit together. Get the plain image, with the configuration in "edit"',
  );
}
