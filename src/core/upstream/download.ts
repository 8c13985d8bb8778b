/** Downloads an image's raw bytes into a sink, from the first to the last, with as many attempts as it needs. */
import { TruncatedDownloadError, UpstreamError } from "../errors.ts";
import { concat } from "./concat.ts";
import { downloadParts } from "./download-parts.ts";
import type { Inflater } from "./gzip-member.ts";
import { inflateGzip } from "./inflate.ts";
import type { DownloadJob, DownloadResult, DownloadSink, UpstreamFile } from "./job.ts";
import { openFile, openWholeInstead } from "./open-file.ts";
import { PartsUnavailableError } from "./parts-unavailable.ts";
import { FileRestarted, readUpstreamFile } from "./read-file.ts";
import { openRestOrWhole, type RequestConditions } from "./request.ts";
import { createRetries, type Retries, withRetries } from "./retry.ts";
import { isGzip } from "./split-members.ts";

/** The image, from the file on whose response has begun. Settles when the last byte is in the sink; says whether the whole is proven. */
export async function downloadImage(
  job: DownloadJob,
  first: UpstreamFile,
  sink: DownloadSink,
): Promise<DownloadResult> {
  const retries = createRetries(job.retry);
  let furthest = first.response.fromByte ?? 0;
  let file = first;
  let attempt = new AbortController();
  for (;;) {
    const signal = AbortSignal.any([job.signal, attempt.signal]);
    const { fileBytes, validators } = file.response;
    const { fileType } = validators;
    if (file.parts) {
      try {
        return await downloadParts(job, { ...file, parts: file.parts }, sink);
      } catch (failure) {
        if (!(failure instanceof PartsUnavailableError)) throw failure;
        // The same bytes, from the first on: those that were delivered are compared.
        file = await withRetries(retries, job.signal, () => openWholeInstead(job, fileType, failure));
        job.onResumed(0, failure);
        continue;
      }
    }
    try {
      sink.begin(file.response.fromByte ?? 0);
      const bytes = readUpstreamFile(file, {
        idleTimeoutMs: job.retry.idleTimeoutMs,
        signal,
        retries,
        isReadOnce: !file.request.gzip && !file.response.isCoded, // an inflater may look at them for longer
        reopen: (conditions) => reopen({ ...job, signal, fileTypes: [fileType] }, retries, conditions),
        onResumed: job.onResumed,
        onBytes: file.chunkBytes === undefined ? job.onBytes : undefined, // chunks are counted as they come
        onPosition(offset) {
          // Only bytes never seen before count: a file that always breaks at the same place is not getting anywhere.
          if (offset > furthest) retries.progressed();
          furthest = Math.max(furthest, offset);
          if (fileBytes !== undefined) sink.noteFile({ bytes: offset, totalBytes: fileBytes });
        },
      });
      return { isProven: await deliver(job, file, bytes, sink), file };
    } catch (failure) {
      // The response that the file starts over with hangs on this attempt's signal: the attempt goes on.
      if (failure instanceof FileRestarted) file = failure.file;
      else {
        attempt.abort();
        await retries.pauseAfter(failure, job.signal);
        attempt = new AbortController();
        file = await reopen(job, retries, {});
      }
      job.onResumed(0, failure instanceof FileRestarted ? failure.cause : failure);
    }
  }
}

async function deliver(
  job: DownloadJob,
  { request, response }: UpstreamFile,
  bytes: AsyncGenerator<Uint8Array>,
  sink: DownloadSink,
): Promise<boolean> {
  const { pieces, isInflated } = await decoded(bytes, { request, response }, job.inflater);
  let size = response.fromByte ?? 0;
  for await (const piece of pieces) {
    size += piece.length;
    assertNotLonger(size, request.exactBytes);
    await sink.write(piece);
  }
  assertWholeImage(size, request.exactBytes);
  return isInflated || response.fileBytes !== undefined || request.exactBytes !== undefined;
}

/** A gzip file that was asked for must be one. A coding that `fetch` has not undone is undone here. The first bytes show it. */
async function decoded(
  bytes: AsyncGenerator<Uint8Array>,
  { request, response }: UpstreamFile,
  inflater: Inflater,
): Promise<{ pieces: AsyncGenerator<Uint8Array>; isInflated: boolean }> {
  if (!response.isCoded)
    return request.gzip
      ? { pieces: inflateGzip(bytes, inflater), isInflated: true }
      : { pieces: bytes, isInflated: false };
  // A server may also call its `.gz` file itself a coding: then there is one layer less than there might be.
  const once = await unpacked(bytes, inflater);
  if (!request.gzip || !once.isInflated) return once;
  const twice = await unpacked(once.pieces, inflater);
  return { pieces: twice.pieces, isInflated: true };
}

/** Inflates what begins as a gzip file, and no image does. */
async function unpacked(bytes: AsyncGenerator<Uint8Array>, inflater: Inflater) {
  const start = await twoBytesOf(bytes);
  const pieces = startingWith(start, bytes);
  if (!isGzip(start)) return { pieces, isInflated: false };
  return { pieces: inflateGzip(pieces, inflater), isInflated: true };
}

/** As many pieces as it takes to tell a gzip file: a body may come byte by byte. */
async function twoBytesOf(bytes: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < 2) {
    const { done, value } = await bytes.next();
    if (done) break;
    start = concat(start, value.length < 2 ? value.slice() : value); // a piece is good until the next is asked for
  }
  return start;
}

async function* startingWith(
  start: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield start;
  yield* rest;
}

/** Checked at once: a longer image may have no end. */
function assertNotLonger(size: number, exactBytes: number | undefined): void {
  if (exactBytes === undefined || size <= exactBytes) return;
  const message = `The image has more than the ${exactBytes} bytes that the source says it has exactly`;
  throw new UpstreamError(message, { unavailable: false });
}

/** No image is empty. A body without a byte was lost, even if its end looks right. */
function assertWholeImage(size: number, exactBytes: number | undefined): void {
  if (size === 0) throw new UpstreamError("The upstream sent a file that contains no byte of an image");
  if (exactBytes === undefined || size === exactBytes) return;
  const message = `The image has ${size} bytes, but the source says exactly ${exactBytes}`;
  throw new TruncatedDownloadError(message, size, exactBytes);
}

async function reopen(
  job: DownloadJob,
  retries: Retries,
  conditions: RequestConditions,
): Promise<UpstreamFile> {
  const file = await withRetries(retries, job.signal, () =>
    openRestOrWhole(conditions, (asked) => openFile(job, asked)),
  );
  return file as UpstreamFile; // no condition was sent that a 304 could answer
}
