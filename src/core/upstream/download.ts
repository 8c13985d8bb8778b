/** Brings an image's raw bytes to a sink, from the first to the last, through as many attempts as that takes. */
import {
  isImageManagerError,
  isUpstreamUnavailable,
  TruncatedDownloadError,
  UpstreamError,
} from "../errors.ts";
import type { FilePosition } from "../memory/window.ts";
import type { ImageParts, ImageRequest, ResolvedImage } from "../types.ts";
import { downloadParts } from "./download-parts.ts";
import { concat, type Inflater, inflateGzip, isGzip } from "./inflate.ts";
import { openParts } from "./open-parts.ts";
import { isImageParts } from "./part-list.ts";
import { PartsRefusedError } from "./part-supply.ts";
import { assertPlausible } from "./plausible.ts";
import { FileRestarted, type OpenedFile, readUpstreamFile } from "./read-file.ts";
import { type RequestConditions, requestFile } from "./request.ts";
import { createRetries, type Retries, type RetryPolicy, withRetries } from "./retry.ts";

/** Where the bytes go. */
export interface DownloadSink {
  /** What follows starts at this byte: the image's first, or the first of the rest. */
  begin(fromByte: number): void;
  /** Takes a piece (only until it settles); slow ones slow the download. */
  write(piece: Uint8Array): Promise<void>;
  /** Where it stands now. */
  mark(): SinkMark;
  /** Goes back. `compare`: what comes again must be the same. `replace`: what came since the mark was wrong. */
  rewind(mark: SinkMark, how: "compare" | "replace"): Promise<void>;
  /** Told how far the upstream's file has come, where its length is known. */
  noteFile(position: FilePosition): void;
}

/** A place in the sink that it can be taken back to. */
export interface SinkMark {
  readonly chunk: number;
  /** Bytes of that chunk that came before the mark. */
  readonly head: Uint8Array<ArrayBuffer>;
}

/** What a download is made of. */
export interface DownloadJob {
  /** The manifest's id. */
  readonly id: string;
  readonly image: Omit<ResolvedImage, "fileType" | "signal">;
  /** The file to ask for first; another one that is stored or was asked for. */
  readonly fileTypes: readonly ResolvedImage["fileType"][];
  request(image: ResolvedImage): Promise<ImageRequest | ImageParts>;
  /** Ask for the whole file alone: the source is known to have no parts of it. */
  readonly isWhole?: boolean | undefined;
  /** Whether the whole file may be asked for where the addresses of its parts are refused. */
  readonly mayAskForWhole: boolean;
  readonly fetch: typeof fetch;
  readonly inflater: Inflater;
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal;
  onResumed(fromByte: number, cause: unknown): void;
}

/** A download that came to its end. */
export interface DownloadResult {
  /** Its framing, its gzip trailer or its source proves that nothing is missing. */
  readonly isProven: boolean;
  /** The file that it was. */
  readonly opened: OpenedFile;
}

/** An opened file, or word that the stored one is still right. */
export type Opening = OpenedFile | { readonly response: { readonly kind: "not-modified" } };

/** Opens the first file type that the upstream hands out. */
export async function openFile(job: DownloadJob, conditions: RequestConditions): Promise<Opening> {
  for (const [index, fileType] of job.fileTypes.entries()) {
    let opening: Opening;
    try {
      opening = await openFileType(job, fileType, conditions);
    } catch (failure) {
      if (index === job.fileTypes.length - 1 || !isRefusal(failure)) throw failure;
      continue;
    }
    return "request" in opening && !opening.parts ? plausible(job, opening, conditions) : opening;
  }
  throw new UpstreamError("There is no file type to ask for", { unavailable: false });
}

/** The image, opened file first. Settles when the last byte is in the sink; says whether the whole is proven. */
export async function downloadImage(
  job: DownloadJob,
  first: OpenedFile,
  sink: DownloadSink,
): Promise<DownloadResult> {
  const retries = createRetries(job.retry);
  let furthest = first.response.fromByte ?? 0;
  let opened = first;
  let attempt = new AbortController();
  for (;;) {
    const signal = AbortSignal.any([job.signal, attempt.signal]);
    if (opened.parts) return downloadParts(job, { ...opened, parts: opened.parts }, sink);
    const { fileBytes, validators } = opened.response;
    const { fileType } = validators;
    try {
      sink.begin(opened.response.fromByte ?? 0);
      const file = readUpstreamFile(opened, {
        idleTimeoutMs: job.retry.idleTimeoutMs,
        signal,
        retries,
        isReadOnce: !opened.request.gzip && !opened.response.isCoded, // an inflater may look at them for longer
        reopen: (conditions) => reopen({ ...job, signal, fileTypes: [fileType] }, retries, conditions),
        onResumed: job.onResumed,
        onPosition(offset) {
          // Only bytes never seen before count: a file that always breaks at the same place is not getting anywhere.
          if (offset > furthest) retries.progressed();
          furthest = Math.max(furthest, offset);
          if (fileBytes !== undefined) sink.noteFile({ bytes: offset, totalBytes: fileBytes });
        },
      });
      return { isProven: await deliver(job, opened, file, sink), opened };
    } catch (failure) {
      // The response that the file starts over with hangs on this attempt's signal: the attempt goes on.
      if (failure instanceof FileRestarted) opened = failure.opened;
      else {
        attempt.abort();
        await retries.pauseAfter(failure, job.signal);
        attempt = new AbortController();
        opened = await reopen(job, retries, {});
      }
      job.onResumed(0, failure instanceof FileRestarted ? failure.cause : failure);
    }
  }
}

async function deliver(
  job: DownloadJob,
  { request, response }: OpenedFile,
  file: AsyncGenerator<Uint8Array>,
  sink: DownloadSink,
): Promise<boolean> {
  const { pieces, isInflated } = await decoded(file, { request, response }, job.inflater);
  let size = response.fromByte ?? 0;
  for await (const piece of pieces) {
    size += piece.length;
    assertNotLonger(size, request.exactBytes);
    await sink.write(piece);
  }
  assertWholeImage(size, request.exactBytes);
  return isInflated || response.fileBytes !== undefined || request.exactBytes !== undefined;
}

/** A gzip file that was asked for must be one. What a coding did is undone wherever `fetch` left it, and told by its first bytes. */
async function decoded(
  file: AsyncGenerator<Uint8Array>,
  { request, response }: OpenedFile,
  inflater: Inflater,
): Promise<{ pieces: AsyncGenerator<Uint8Array>; isInflated: boolean }> {
  if (!response.isCoded)
    return request.gzip
      ? { pieces: inflateGzip(file, inflater), isInflated: true }
      : { pieces: file, isInflated: false };
  // A server may also call its `.gz` file itself a coding: then there is one layer less than there might be.
  const once = await unpacked(file, inflater);
  if (!request.gzip || !once.isInflated) return once;
  const twice = await unpacked(once.pieces, inflater);
  return { pieces: twice.pieces, isInflated: true };
}

/** Inflates what begins as a gzip file, and no image does. */
async function unpacked(file: AsyncGenerator<Uint8Array>, inflater: Inflater) {
  const start = await twoBytesOf(file);
  const pieces = startingWith(start, file);
  if (!isGzip(start)) return { pieces, isInflated: false };
  return { pieces: inflateGzip(pieces, inflater), isInflated: true };
}

/** As many pieces as it takes to tell a gzip file: a body may come byte by byte. */
async function twoBytesOf(file: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < 2) {
    const { done, value } = await file.next();
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

/** At once: what is longer may have no end. */
function assertNotLonger(size: number, exactBytes: number | undefined): void {
  if (exactBytes === undefined || size <= exactBytes) return;
  const message = `The image has more than the ${exactBytes} bytes that the source says it has exactly`;
  throw new UpstreamError(message, { unavailable: false });
}

/** No image is empty: a body without a byte is one that was lost, however well its end looks. */
function assertWholeImage(size: number, exactBytes: number | undefined): void {
  if (size === 0) throw new UpstreamError("The upstream sent a file without a byte of an image");
  if (exactBytes === undefined || size === exactBytes) return;
  const message = `The image has ${size} bytes where the source says exactly ${exactBytes}`;
  throw new TruncatedDownloadError(message, size, exactBytes);
}

async function reopen(
  job: DownloadJob,
  retries: Retries,
  conditions: RequestConditions,
): Promise<OpenedFile> {
  const reopened = await withRetries(retries, job.signal, () => openUnlessUnsatisfiable(job, conditions));
  return reopened as OpenedFile; // no condition was sent that a 304 could answer
}

/** A range that the upstream can't satisfy says that the file is not the one that was begun: ask for it whole. */
export async function openUnlessUnsatisfiable(
  job: DownloadJob,
  conditions: RequestConditions,
): Promise<Opening> {
  try {
    return await openFile(job, conditions);
  } catch (failure) {
    if (conditions.resume && (failure as { status?: number }).status === 416) return openFile(job, {});
    throw failure;
  }
}

async function openFileType(
  job: DownloadJob,
  fileType: ResolvedImage["fileType"],
  conditions: RequestConditions,
): Promise<Opening> {
  const image: ResolvedImage = { ...job.image, fileType, signal: job.signal, isWhole: job.isWhole };
  // Validators of another file say nothing about this one.
  const unless = conditions.unless?.fileType === fileType ? conditions.unless : undefined;
  const answer = await job.request(image);
  if (!isImageParts(answer))
    return havingNoParts(await openWhole(job, image, answer, { ...conditions, unless }));
  try {
    return await openParts(job, answer, { ...conditions, unless });
  } catch (failure) {
    if (!(failure instanceof PartsRefusedError) || !job.mayAskForWhole) throw failure;
    const whole = await job.request({ ...image, isWhole: true });
    if (isImageParts(whole)) throw failure;
    return openWhole(job, image, whole, { ...conditions, unless });
  }
}

function havingNoParts(opening: Opening): Opening {
  if (!("request" in opening)) return opening;
  const { request, response } = opening;
  return { request, response: { ...response, validators: { ...response.validators, isWhole: true } } };
}

async function openWhole(
  job: DownloadJob,
  image: ResolvedImage,
  request: ImageRequest,
  conditions: RequestConditions,
): Promise<Opening> {
  const response = await withinTimeout(job.retry.idleTimeoutMs, job.signal, (timed) =>
    requestFile(job.fetch, image, request, conditions, timed),
  );
  return response.kind === "body" ? { request, response } : { response };
}

/** A file that was handed out may still be something else: that is no reason to ask for another type. */
async function plausible(
  job: DownloadJob,
  { request, response }: OpenedFile,
  { isHeadersOnly = false }: RequestConditions,
): Promise<OpenedFile> {
  const checked = await withinTimeout(job.retry.idleTimeoutMs, job.signal, (timed) =>
    assertPlausible(job.image, request, response, timed, isHeadersOnly),
  );
  return { request, response: checked };
}

/** Times the wait for the headers only: the signal that the body hangs on is never timed. */
export async function withinTimeout<T>(
  timeoutMs: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  try {
    return await run(AbortSignal.any([signal, timeout.signal]));
  } catch (failure) {
    if (!timeout.signal.aborted || signal.aborted) throw failure;
    throw new UpstreamError(`The upstream did not answer within ${timeoutMs} ms`, {}, { cause: failure });
  } finally {
    clearTimeout(timer);
  }
}

/** The upstream hands out this version, but not as this file (or not at all, which the next file type will tell). */
function isRefusal(failure: unknown): boolean {
  if (!isImageManagerError(failure)) return false;
  return (
    failure.code === "VERSION_NOT_FOUND" || (failure.code === "UPSTREAM" && !isUpstreamUnavailable(failure))
  );
}
