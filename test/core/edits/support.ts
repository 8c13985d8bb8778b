// Edits for tests, an upstream whose image is known byte for byte, and what an edit makes of it.
import type { EditableImage, ImageEdit, ImageSpan } from "../../../src/core/index.ts";
import {
  fileResponse,
  gzip,
  noise,
  type ScriptedUpstream,
  scriptedUpstream,
} from "../../support/scripted-upstream.ts";

/** Writes a text at each place; the negative ones count from the end. */
export function writing(text: string, ...places: number[]): ImageEdit {
  const bytes = new TextEncoder().encode(text);
  return async ({ size }) => places.map((place) => ({ start: place < 0 ? size + place : place, bytes }));
}

/** Reads some bytes at each place, and hands the copy to `seen`; changes one byte there, by what it has read. */
export function reading(seen: Uint8Array[], ...places: number[]): ImageEdit {
  return async (image) => {
    const spans: ImageSpan[] = [];
    for (const place of places) {
      const start = place < 0 ? image.size + place : place;
      const bytes = await image.read(start, Math.min(start + 16, image.size));
      seen.push(bytes);
      spans.push({ start, bytes: Uint8Array.of(bytes[0]! ^ 0xff) });
    }
    return spans;
  };
}

/** What edits make of an image that is in memory. */
export async function edited(
  bytes: Uint8Array<ArrayBuffer>,
  ...edits: ImageEdit[]
): Promise<Uint8Array<ArrayBuffer>> {
  const made = bytes.slice();
  for (const edit of edits) {
    const { signal } = new AbortController();
    const before = made.slice();
    const image: EditableImage = {
      size: before.length,
      read: async (start, end) => before.slice(start, end),
      signal,
    };
    for (const span of await edit(image)) made.set(span.bytes, span.start);
  }
  return made;
}

/** An image of noise with some holes. */
export function imageOf(chunks: number, chunkBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = noise(chunks * chunkBytes - 1000, seed);
  for (let index = 3; index < chunks; index += 5) bytes.fill(0, index * chunkBytes, (index + 1) * chunkBytes);
  return bytes;
}

const packedOf = new WeakMap<Uint8Array, Uint8Array<ArrayBuffer>>();

/** Packed once: noise takes long. */
function packed(content: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const known = packedOf.get(content) ?? gzip(content);
  packedOf.set(content, known);
  return known;
}

/** Serves it raw, so that its size is known ahead, or as a `.gz`, so that it is not. */
export function upstreamOf(content: Uint8Array<ArrayBuffer>, isSizeKnown = true): ScriptedUpstream {
  const body = () => (isSizeKnown ? content : packed(content)).slice();
  return scriptedUpstream({
    respond: () => fileResponse(body(), { etag: '"a"' }),
    request: isSizeKnown ? { gzip: false } : {},
  });
}
