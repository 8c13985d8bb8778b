/** Opens the chunks of a cached image once, for its edits and its stream. */
import type { ManagerContext } from "../../context.ts";
import type { Span } from "../../span.ts";
import type { Manifest } from "../../store/manifest.ts";
import { type ImageReader, readImage } from "../../store/read-image.ts";

/** The chunks that a span needs. They are read ahead from now on. Until it is closed, the image counts as being read. */
export function openReader(
  context: ManagerContext,
  id: string,
  manifest: Manifest,
  { start, end }: Span,
): ImageReader {
  const { chunkBytes, size } = manifest;
  const reading = { ...manifest };
  context.reading.set(reading, id);
  const last = Math.ceil(Math.min(end, size) / chunkBytes);
  const reader = readImage(context, manifest, Math.floor(start / chunkBytes), last);
  reader.readAhead();
  return {
    ...reader,
    close() {
      reader.close();
      context.reading.delete(reading);
    },
  };
}
