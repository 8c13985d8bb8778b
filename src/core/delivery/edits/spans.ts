/** The spans of edits: checked, and laid over bytes of an image. Pure. */
import { bounds } from "../../bounds.ts";
import { isCount, isRecord } from "../../checks.ts";
import { EditError, InvalidArgumentError } from "../../errors.ts";
import type { ImageSpan } from "../../types.ts";

/** The spans of one edit: in ascending order, apart from each other, none empty. Nobody else has their bytes. */
export type Layer = readonly ImageSpan[];

/**
 * What an edit has answered, in order and copied: its author may use the buffers again.
 *
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for what is no list of spans, for spans that overlap, and for too many bytes.
 * @throws {EditError} `EDIT` for a span that is not within the image.
 */
export function checkedLayer(answer: unknown, imageBytes: number): Layer {
  if (!Array.isArray(answer)) throw new InvalidArgumentError('"edit" must resolve with a list of spans');
  const spans = answer.map((span: unknown) => checkedSpan(span, imageBytes));
  const bytes = spans.reduce((sum, span) => sum + span.bytes.length, 0);
  if (bytes > bounds.editBytes) {
    throw new InvalidArgumentError(
      `The spans of "edit" have ${bytes} bytes; at most ${bounds.editBytes} are allowed`,
    );
  }
  const layer = spans.filter((span) => span.bytes.length > 0).sort((a, b) => a.start - b.start);
  assertApart(layer);
  return layer.map((span) => ({ start: span.start, bytes: span.bytes.slice() }));
}

function checkedSpan(span: unknown, imageBytes: number): ImageSpan {
  const { start, bytes } = isRecord(span) ? span : {};
  if (!isCount(start) || !(bytes instanceof Uint8Array)) {
    throw new InvalidArgumentError(
      'A span of "edit" must have "start", a whole number from 0, and "bytes", a Uint8Array',
    );
  }
  if (start + bytes.length <= imageBytes) return { start, bytes };
  throw new EditError(
    "outside-image",
    `A span of ${bytes.length} bytes at ${start} does not fit into the image of ${imageBytes} bytes`,
  );
}

function assertApart(layer: Layer): void {
  for (const [index, { start }] of layer.entries()) {
    const before = layer[index - 1];
    if (before && endOf(before) > start)
      throw new InvalidArgumentError(`Two spans of "edit" overlap at byte ${start} of the image`);
  }
}

const endOf = ({ start, bytes }: ImageSpan) => start + bytes.length;

/** Replaces what the layers replace, one layer after the other, in bytes that lie at `position` of the image. */
export function layOver(bytes: Uint8Array, position: number, layers: readonly Layer[]): void {
  const end = position + bytes.length;
  for (const layer of layers) {
    for (let index = firstEndingAfter(layer, position); index < layer.length; index++) {
      const span = layer[index]!;
      if (span.start >= end) break;
      const from = Math.max(span.start, position);
      bytes.set(span.bytes.subarray(from - span.start, end - span.start), from - position);
    }
  }
}

/** By halving: an edit may have as many spans as there are sectors. */
function firstEndingAfter(layer: Layer, position: number): number {
  let [low, high] = [0, layer.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endOf(layer[middle]!) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
