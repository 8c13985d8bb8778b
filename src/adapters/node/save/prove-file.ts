/** Proves by the ETag that a file contains an image, even if several saves have written it. */
import type { FileHandle } from "node:fs/promises";
import { eachOf } from "../../../core/each.ts";
import { detachBuffer } from "../../../core/memory/free.ts";
import { digestChunk } from "../../../core/store/chunk-store.ts";
import { chunkLength, imageDigest } from "../../../core/store/manifest.ts";
import { nodeHash } from "../hash.ts";
import { onDisk } from "./disk.ts";
import type { Draft } from "./draft.ts";

// Enough to keep two cores hashing.
const chunksAtOnce = 4;

/** Reads the whole file. Rejects with the signal's reason once that is aborted. */
export async function holdsImage(
  { file, target }: Draft,
  image: { readonly etag: string; readonly size: number; readonly chunkBytes: number },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const indices = Array.from({ length: Math.ceil(image.size / image.chunkBytes) }, (_, index) => index);
  const digestOf = (index: number) => {
    signal?.throwIfAborted();
    const [position, length] = [index * image.chunkBytes, chunkLength(image, index)];
    return onDisk(target.path, () => digestAt(file, position, length));
  };
  const chunks = await eachOf(indices, digestOf, chunksAtOnce);
  return `"${await imageDigest({ ...image, chunks })}"` === image.etag;
}

/** What is missing from the file reads as zeros, which is not what the image has there, or does no harm. */
async function digestAt(file: FileHandle, position: number, length: number): Promise<string | null> {
  const bytes = new Uint8Array(length);
  for (let read = 0; read < length; ) {
    const { bytesRead } = await file.read(bytes, read, length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  const digested = await digestChunk(bytes, nodeHash);
  detachBuffer(digested.bytes);
  return digested.digest;
}
