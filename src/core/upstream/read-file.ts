/** Reads the bytes of one upstream file. After a break it continues if the rest provably belongs to the same file. */
import { monotonicMs, startTimer, stopTimer, type Timer } from "../clock.ts";
import {
  type ImageManagerError,
  isImageManagerError,
  TruncatedDownloadError,
  UpstreamError,
} from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import { isStrongEtag } from "../freshness/judge.ts";
import { detachBuffer } from "../memory/free.ts";
import type { ImageFile } from "../types.ts";
import { discard, type FileBody } from "./file-response.ts";
import type { UpstreamFile } from "./job.ts";
import type { RequestConditions } from "./request.ts";
import { secretsOf } from "./request-secrets.ts";
import type { Retries } from "./retry.ts";

/** What reading needs from the download that it is part of. */
export interface ReadContext {
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly retries: Retries;
  /** Whether a piece is no longer used when the next one is asked for. Default: it may be. */
  readonly isReadOnce?: boolean;
  /** Sends the request again. */
  reopen(conditions: RequestConditions): Promise<UpstreamFile>;
  /** Told after each piece how far the file has come. */
  onPosition(offset: number): void;
  onResumed(fromByte: number, cause: unknown): void;
  /** Told of the bytes of each piece that comes. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Thrown when the file can't be continued: the bytes begin again with the response that is already open. */
export class FileRestarted extends Error {
  readonly file: UpstreamFile;

  constructor(file: UpstreamFile, cause: unknown) {
    super("The file starts over", { cause });
    this.file = file;
  }
}

/** Yields the file's bytes. Ends only when they are complete as far as the framing can tell. */
export async function* readUpstreamFile(
  first: UpstreamFile,
  context: ReadContext,
): AsyncGenerator<Uint8Array> {
  const { validators, fileBytes, isCoded } = first.response;
  const etag = !isCoded && isStrongEtag(validators.etag) ? validators.etag : undefined;
  let current = first;
  let offset = first.response.fromByte ?? 0;
  for (;;) {
    try {
      for await (const piece of readBody(current, context)) {
        offset += piece.length;
        context.onPosition(offset);
        yield piece;
      }
      assertWhole(offset, fileBytes);
      return;
    } catch (failure) {
      await context.retries.pauseAfter(failure, context.signal);
      const isResumable = etag !== undefined && offset > 0 && offset !== fileBytes;
      const resume = isResumable ? { fromByte: offset, etag } : undefined;
      current = await openRest({ etag: validators.etag, fileBytes }, resume, context, failure);
      context.onResumed(offset, failure);
    }
  }
}

/**
 * Opens the rest of a file.
 * @throws {FileRestarted} if `resume` is not given, or the upstream sends anything but that rest
 */
export async function openRest(
  facts: FileFacts,
  resume: RequestConditions["resume"],
  context: Pick<ReadContext, "reopen">,
  cause: unknown,
): Promise<UpstreamFile> {
  const file = await context.reopen({ resume });
  if (resume && continues(file.response, resume.fromByte, facts)) return file;
  throw new FileRestarted(await whole(file, context), cause);
}

interface FileFacts {
  readonly etag: string | undefined;
  readonly fileBytes: number | undefined;
}

/** Whether a response is the rest of the file: RFC 9110 lets a server answer something else at every step. */
function continues({ fromByte, isCoded, validators, fileBytes }: FileBody, offset: number, file: FileFacts) {
  if (fromByte !== offset || isCoded) return false;
  if (validators.etag !== undefined && validators.etag !== file.etag) return false;
  return file.fileBytes === undefined || fileBytes === file.fileBytes;
}

/** A partial response that is not the requested one can't be used; the whole file is asked for. */
async function whole(file: UpstreamFile, context: Pick<ReadContext, "reopen">): Promise<UpstreamFile> {
  if (file.response.fromByte === 0) return file;
  await discard(file.response);
  return context.reopen({});
}

function assertWhole(offset: number, fileBytes: number | undefined): void {
  if (fileBytes === undefined || offset === fileBytes) return;
  throw new TruncatedDownloadError(
    `The download ended after ${offset} of ${fileBytes} bytes`,
    offset,
    fileBytes,
  );
}

async function* readBody(file: UpstreamFile, context: ReadContext): AsyncGenerator<Uint8Array> {
  const { body } = file.response;
  const isToFree = context.isReadOnce && body.arePiecesOurs;
  // Closes the connection at once, also while a read is pending; what was pending then looks like the end.
  const cancel = () => void body.cancel();
  const idle = watchIdle(context.idleTimeoutMs, cancel);
  // Also if nobody reads on: then nothing else would end timer and connection.
  const leave = () => {
    idle.close();
    context.signal.removeEventListener("abort", leave);
    cancel();
  };
  context.signal.addEventListener("abort", leave, { once: true });
  try {
    context.signal.throwIfAborted();
    for (;;) {
      idle.begin();
      const piece = await body.read();
      idle.end();
      context.signal.throwIfAborted();
      if (!piece) return;
      context.onBytes?.(piece.length);
      yield piece;
      if (isToFree) detachBuffer(piece);
    }
  } catch (cause) {
    context.signal.throwIfAborted();
    throw connectionLost(file.request, cause);
  } finally {
    leave();
  }
}

/** The error for a body that broke. Ours pass as they are. */
export function connectionLost(request: ImageFile, cause: unknown): ImageManagerError {
  if (isImageManagerError(cause)) return cause;
  const copy = foreignError(cause, secretsOf(request));
  return new UpstreamError("The connection was lost during the download", {}, { cause: copy });
}

/** Only a pending read is timed: a consumer may take as long as it likes. One timer serves many reads, for there are thousands. */
function watchIdle(timeoutMs: number, onIdle: () => void) {
  let pendingSince: number | undefined;
  let isIdle = false;
  let timer: Timer | undefined;
  const look = () => {
    timer = undefined;
    // Nobody may ever read on: a timer that went on for itself would keep the process alive.
    if (pendingSince === undefined) return;
    const waitedMs = monotonicMs() - pendingSince;
    isIdle = waitedMs >= timeoutMs;
    if (isIdle) onIdle();
    else timer = startTimer(look, timeoutMs - waitedMs);
  };
  return {
    begin() {
      pendingSince = monotonicMs();
      timer ??= startTimer(look, timeoutMs);
    },
    /** @throws {UpstreamError} `UPSTREAM` if the read took too long. */
    end() {
      pendingSince = undefined;
      if (isIdle) throw new UpstreamError(`The download brought no byte for ${timeoutMs} ms`);
    },
    close() {
      pendingSince = undefined;
      stopTimer(timer);
    },
  };
}
