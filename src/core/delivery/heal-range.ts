/**
 * Fetches a run of damaged chunks again by one ranged request for the raw image. No validator is needed: every chunk is checked
 * against the manifest, so bytes of another file can't pass.
 */
import type { ManagerContext } from "../context.ts";
import { sha256Hex } from "../digest.ts";
import { UpstreamError } from "../errors.ts";
import { writeChunk } from "../store/chunk-store.ts";
import { chunkLength, type Manifest } from "../store/manifest.ts";
import type { ChunkSource } from "../store/read-image.ts";
import { orStoreFault } from "../store-fault.ts";
import { discard, type FileBody } from "../upstream/file-response.ts";
import { isImageParts } from "../upstream/part-list.ts";
import { readUpstreamFile } from "../upstream/read-file.ts";
import { requestFile } from "../upstream/request.ts";
import { createRetries } from "../upstream/retry.ts";
import { withinTimeout } from "../upstream/within-timeout.ts";

/** Chunks that come from the upstream. */
export interface FetchedChunks extends ChunkSource {
  /** How many of them the store has taken. */
  rewritten(): number;
}

/** Chunks `from` to `to` (exclusive), rewritten as they come. Rejects if the upstream does not hand out that range. */
export async function fetchChunks(
  context: ManagerContext,
  manifest: Manifest,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<FetchedChunks> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const response = await requestSpan(context, manifest, from, to, stopped);
  const pieces = readRangeBody(context, response, stopped);
  let rest: Uint8Array = new Uint8Array(0);
  let index = from;
  let rewritten = 0;

  const fill = async (chunk: Uint8Array): Promise<void> => {
    for (let filled = 0; filled < chunk.length; ) {
      if (rest.length === 0) rest = await nextPiece(pieces);
      const part = rest.subarray(0, chunk.length - filled);
      chunk.set(part, filled);
      filled += part.length;
      rest = rest.subarray(part.length);
    }
  };

  return {
    async next() {
      if (index >= to) return undefined;
      const digest = manifest.chunks[index] as string;
      const chunk = new Uint8Array(chunkLength(manifest, index));
      await fill(chunk);
      if ((await sha256Hex(chunk)) !== digest)
        throw new UpstreamError("The range has different bytes", { unavailable: false });
      index += 1;
      // A store that does not take the chunk does not keep it from the reader, whose buffer no write may still use.
      await orStoreFault(context, "write", async () => {
        await writeChunk(context.store, digest, chunk.slice());
        rewritten += 1;
      });
      return chunk;
    },
    close: () => stop.abort(),
    rewritten: () => rewritten,
  };
}

async function requestSpan(
  context: ManagerContext,
  manifest: Manifest,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<FileBody> {
  const { deviceType, version, variant } = manifest.identity;
  const image = { deviceType, version, variant, fileType: variant.fileType ?? ".img", signal } as const;
  const request = await context.source.request(image);
  if (isImageParts(request))
    throw new UpstreamError("The upstream delivers the image in parts", { unavailable: false });
  const span = {
    fromByte: from * manifest.chunkBytes,
    toByte: Math.min(to * manifest.chunkBytes, manifest.size),
  };
  const response = await withinTimeout(context.retry.idleTimeoutMs, signal, (timed) =>
    requestFile(context.fetch, image, request, { span }, timed),
  );
  if (response.kind === "body" && response.fromByte === span.fromByte && !request.gzip) return response;
  if (response.kind === "body") await discard(response);
  throw new UpstreamError("The upstream does not deliver ranges", { unavailable: false });
}

function readRangeBody(
  context: ManagerContext,
  response: FileBody,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  return readUpstreamFile(
    { request: { url: "", gzip: false }, response: { ...response, fileBytes: undefined } },
    {
      idleTimeoutMs: context.retry.idleTimeoutMs,
      signal,
      // A break is no reason to ask again here: the transfer that is tried next does that.
      retries: createRetries({ ...context.retry, attempts: 1 }),
      reopen: () => Promise.reject(new UpstreamError("The range broke off")),
      onPosition: () => undefined,
      onResumed: () => undefined,
    },
  );
}

async function nextPiece(pieces: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  const { done, value } = await pieces.next();
  if (done) throw new UpstreamError("The range ended early");
  return value;
}
