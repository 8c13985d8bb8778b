/** Reads a blob, whole or not at all. A body that breaks off is gone on with, as long as it is the same blob's. */
import type { StoreReadOptions } from "../../core/types.ts";
import { withinBound } from "../store-values.ts";
import type { Ask, Call } from "./connection.ts";
import type { AzureBlob, AzureDownload } from "./container.ts";
import { isRefusedWith } from "./failure.ts";
import { mayReadOn } from "./retry.ts";

/** The blob's bytes; `null` if there is none of that name, or if it has more than `maxBytes`. */
export function readBlob(
  ask: Ask,
  name: string,
  options: StoreReadOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const { onProgress, signal } = options;
  const read = async (blob: AzureBlob, call: Call) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await readVersion(blob, options, call);
      } catch (error) {
        // A missing container is 404 too, and no missing value but a fault.
        if (isRefusedWith(error, "BlobNotFound")) return null;
        // It was replaced: two parts of different values are no value.
        if (!isRefusedWith(error, "ConditionNotMet") || !mayReadOn(attempt)) throw error;
      }
    }
  };
  return ask(`a read of "${name}"`, (container, call) => read(container.getBlockBlobClient(name), call), {
    onProgress,
    signal,
  });
}

/** All requests but the first are for the very version that the first one found. */
async function readVersion(
  blob: AzureBlob,
  options: StoreReadOptions,
  call: Call,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const first = await download(blob, 0, undefined, call);
  // The end of the call aborts the body that is not read.
  if (!withinBound(first.contentLength ?? Number.POSITIVE_INFINITY, options)) return null;
  const bytes = new Uint8Array(first.contentLength ?? 0);
  let at = await fill(bytes, 0, first, call);
  for (let attempt = 1; at < bytes.length; attempt++) {
    call.abortSignal.throwIfAborted();
    if (!mayReadOn(attempt)) throw cutShort(at, bytes.length);
    at = await fill(bytes, at, await download(blob, at, first.etag, call), call);
  }
  return bytes;
}

async function download(
  blob: AzureBlob,
  from: number,
  etag: string | undefined,
  { abortSignal, progressed }: Call,
): Promise<AzureDownload> {
  const conditions = etag === undefined ? {} : { ifMatch: etag };
  // The client's own way to go on takes a lost connection for an abort (12.34).
  const found = await blob.download(from, undefined, { abortSignal, conditions, maxRetryRequests: 0 });
  progressed();
  // A body that nobody reads must not throw when it is aborted.
  found.readableStreamBody?.on("error", () => undefined);
  return found;
}

/** Puts a body into a buffer, and tells how far it came. */
async function fill(bytes: Uint8Array, from: number, found: AzureDownload, call: Call): Promise<number> {
  let at = from;
  try {
    for await (const piece of piecesOf(found)) {
      call.progressed();
      if (at + piece.length > bytes.length) break;
      bytes.set(piece, at);
      at += piece.length;
    }
  } catch {
    // Cut off: what came is right.
  }
  return at;
}

async function* piecesOf({ readableStreamBody, blobBody }: AzureDownload): AsyncIterable<Uint8Array> {
  if (readableStreamBody) yield* readableStreamBody as AsyncIterable<Uint8Array>;
  else if (blobBody) yield new Uint8Array(await (await blobBody).arrayBuffer());
}

function cutShort(bytes: number, length: number): Error {
  const message = `The body broke off again and again, at last after ${bytes} of ${length} bytes`;
  return Object.assign(new Error(message), { code: "NETWORK" });
}
