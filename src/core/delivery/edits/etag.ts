/**
 * The ETag of an edited image. It is a keyed hash: a plain one would let anybody who sees it guess a short Wi-Fi key.
 */
import { hmacSha256Hex } from "../../digest.ts";
import type { Layer } from "./spans.ts";

/** Of an image with this digest, under these layers. */
export async function etagOfEdited(
  key: () => Uint8Array<ArrayBuffer>,
  imageDigest: string,
  layers: readonly Layer[],
): Promise<string> {
  return `"${await hmacSha256Hex(key(), serialized(imageDigest, layers))}"`;
}

/** Each layer and span with its length, so that no two edits look the same. */
function serialized(imageDigest: string, layers: readonly Layer[]): Uint8Array<ArrayBuffer> {
  const spans = layers.map((layer) => layer.map(({ start, bytes }) => [start, bytes.length]));
  const head = new TextEncoder().encode(JSON.stringify([imageDigest, spans]));
  const pieces = [head, ...layers.flat().map(({ bytes }) => bytes)];
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
