/** Opens the bytes of a resolved image: from the cache, with a running transfer, or with its own transfer. */
import type { ManagerContext } from "../context.ts";
import { ImageChangedError, InvalidArgumentError } from "../errors.ts";
import { dateOfHeader } from "../freshness/validators.ts";
import type { Span } from "../span.ts";
import { type Manifest, toImageInfo } from "../store/manifest.ts";
import { ChunkUnavailable, readImage } from "../store/read-image.ts";
import type { RunningTransfer } from "../transfer/running-transfer.ts";
import { guessOf, type TransferHead } from "../transfer/transfer-head.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import type { ImageInfo, ImageStream } from "../types.ts";
import { pauseBeforeRetry } from "../upstream/retry.ts";
import { unlessAborted } from "../waiting.ts";
import { storeFaultOf } from "./around-store.ts";
import type { EditedImage } from "./edits/edit-image.ts";
import { assertStillSeen } from "./edits/run-edits.ts";
import { layOver } from "./edits/spans.ts";
import { followTransfer } from "./follow-transfer.ts";
import { createHealer } from "./heal.ts";
import { createBodyStream, type ImageBody } from "./image-stream.ts";
import { followNew } from "./join-transfer.ts";
import { createProgress, type ProgressReporter } from "./progress.ts";
import type { ResolvedGet } from "./resolved-get.ts";
import { shareOf } from "./share-of-file.ts";

/** Streams a cached image. A chunk that is missing or damaged is fetched again and rewritten on the way. */
export function streamCached(
  context: ManagerContext,
  get: ResolvedGet,
  manifest: Manifest,
  origin: "cache" | "stale",
  edited?: EditedImage,
): ImageStream {
  const { span, id } = get;
  assertSpanWithin(span, manifest.size);
  const end = Math.min(span.end, manifest.size);
  const info = toImageInfo(id, manifest);
  const progress = createProgress(get.onProgress, context.now);
  progress.setTotal(end - span.start);
  const [first, last] = [Math.floor(span.start / manifest.chunkBytes), Math.ceil(end / manifest.chunkBytes)];
  const reading = { ...manifest }; // a key of its own: the same image may be read many times at once
  context.reading.set(reading, id);
  const healer = createHealer(context, get, manifest, last);
  const body = createBodyStream({
    chunkBytes: manifest.chunkBytes,
    span: { start: span.start, end },
    exactBytes: end - span.start,
    signal: get.signal,
    chunks: edited?.reader ?? readImage(context, manifest, first, last),
    recover: healer.recover,
    lay: (chunk, position) => layOver(chunk, position, edited?.layers ?? []),
    onDelivered: (bytes) => progress.report(bytes),
    onWhole: progress.finish,
    onEnd() {
      context.reading.delete(reading);
      healer.close();
    },
  });
  return describe(body, get, {
    mime: manifest.mime,
    size: manifest.size,
    etag: edited ? edited.etag : info.etag,
    sha256: edited ? undefined : info.sha256,
    edited: edited?.kind,
    lastModified: edited ? undefined : info.lastModified,
    origin,
    committed: async () => info,
  });
}

/** Streams along with a transfer. Takes over the caller's hold on it. */
export function streamTransfer(
  context: ManagerContext,
  get: ResolvedGet,
  transfer: RunningTransfer,
  plainHead: TransferHead,
  release: () => void,
  edited?: EditedImage,
): ImageStream {
  const { span } = get;
  const head = edited ? { ...plainHead, size: edited.size } : plainHead;
  if (head.size !== undefined) assertSpanWithin(span, head.size);
  const { chunkBytes } = transfer.window;
  const first = Math.floor(span.start / chunkBytes);
  const progress = createProgress(get.onProgress, context.now);
  void setTotal(progress, get, head);
  const recovery = createRecovery(context, get, transfer);
  const ended = Promise.withResolvers<{ failure?: unknown }>();
  const body = createBodyStream({
    chunkBytes,
    span,
    exactBytes: head.size === undefined ? undefined : bytesOfSpan(span, head.size),
    signal: get.signal,
    chunks: followTransfer(transfer, context, first),
    recover: recovery.recover,
    lay(chunk, position) {
      if (!edited) return;
      assertStillSeen(edited.seen, recovery.transfer().window.digests);
      layOver(chunk, position, edited.layers);
    },
    onDelivered(bytes) {
      const { window } = recovery.transfer();
      if (window.isWhole) progress.setTotal(Math.min(span.end, window.size) - span.start);
      progress.report(bytes, shareOf(window, span.start, bytes));
    },
    onWhole: progress.finish,
    onEnd: (failure) => ended.resolve({ failure }),
  });
  release();
  return describe(body, get, {
    mime: head.mime,
    size: head.size,
    etag: undefined,
    sha256: undefined,
    edited: edited?.kind,
    lastModified: edited ? undefined : dateOfHeader(head.validators.lastModified),
    origin: "network",
    committed: () => committed(get.id, transfer, ended.promise),
  });
}

/** What the stream's `size` promises: an upstream may say another one when it is asked again. */
const bytesOfSpan = ({ start, end }: Span, size: number) => Math.min(end, size) - start;

function assertSpanWithin({ start }: Span, size: number): void {
  if (start < size || (start === 0 && size === 0)) return;
  throw new InvalidArgumentError(`"range.start" is ${start}, but the image has only ${size} bytes`);
}

async function setTotal(
  progress: ProgressReporter,
  { span, onProgress }: ResolvedGet,
  head: TransferHead,
): Promise<void> {
  if (!onProgress) return;
  const end = Math.min(span.end, head.size ?? Number.POSITIVE_INFINITY);
  if (Number.isFinite(end)) return progress.setTotal(end - span.start);
  const guess = await guessOf(head);
  if (guess !== undefined) progress.setGuess(guess - span.start);
}

interface StreamProperties {
  readonly mime: string;
  readonly size: number | undefined;
  readonly etag: string | undefined;
  readonly sha256: string | undefined;
  readonly edited: ImageStream["edited"] | undefined;
  readonly lastModified: Date | undefined;
  readonly origin: ImageStream["origin"];
  committed(): Promise<ImageInfo | undefined>;
}

function describe(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { identity }: ResolvedGet,
  properties: StreamProperties,
): ImageStream {
  const { deviceType, version } = identity;
  const known = Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
  return Object.assign(body, { deviceType, version, ...known }) as unknown as ImageStream;
}

function committed(
  id: string,
  transfer: RunningTransfer,
  ended: Promise<{ failure?: unknown }>,
): Promise<ImageInfo | undefined> {
  const result = (async () => {
    const outcome = await transfer.outcome.catch(() => undefined);
    if (outcome?.manifest) return toImageInfo(id, outcome.manifest);
    const failure = outcome ? undefined : (await ended).failure;
    if (failure !== undefined) throw failure;
    // Unlike a store that did not take it, this concerns the reader of the bytes.
    if (outcome?.obstacle.code === "TRUNCATED_DOWNLOAD") throw outcome.obstacle;
    return undefined;
  })();
  result.catch(() => undefined); // nobody has to await it; an `async` function would return another promise
  return result;
}

/**
 * Number of ways that a stream tries after its first. Its own transfer brings everything that a store has lost, and if the image has
 * changed, another one brings the new bytes. A stream that needs more is in a loop that asks the upstream in each round.
 */
const maxRecoveries = 2;

/**
 * How a stream continues without the transfer that it reads. If neither memory nor store has the next chunk, the reader continues with its
 * own transfer, which is compared with the delivered bytes. A reader that has no bytes yet may get new bytes.
 */
function createRecovery(
  context: ManagerContext,
  get: ResolvedGet,
  first: RunningTransfer,
): { transfer(): RunningTransfer; recover: ImageBody["recover"] } {
  let { transfer, count } = { transfer: first, count: 0 };
  const recover: ImageBody["recover"] = async (index, failure, delivered) => {
    const cause = failure instanceof ChunkUnavailable ? storeFaultOf(failure) : undefined;
    if (cause) context.emit({ type: "store-fault", operation: "read", cause });
    const options = await waysOn(get, transfer, failure, delivered);
    count += 1;
    if (count > maxRecoveries) throw beyondRecovery(failure);
    if (count > 1) await pauseBeforeRetry(context.retry, count, failure, get.signal);
    const following = await followNew(context, options, index, get.signal);
    transfer = following.transfer;
    return following.chunks;
  };
  return { recover, transfer: () => transfer };
}

/** What to transfer next. Rejects with the failure if nothing helps. */
async function waysOn(
  { id, identity, signal }: ResolvedGet,
  { options: { isStored, previous }, window, outcome }: RunningTransfer,
  failure: unknown,
  delivered: boolean,
): Promise<TransferOptions> {
  const { chunkBytes, digests } = window;
  const plain = { id, identity, chunkBytes, previous };
  if (failure instanceof ChunkUnavailable)
    return { ...plain, isStored: false, expected: delivered ? [...digests] : undefined };
  if (!(failure instanceof ImageChangedError) || delivered) throw failure;
  // All by one transfer, once the old one has let go of its lease.
  await unlessAborted(signal, () => outcome.catch(() => undefined));
  return { ...plain, isStored };
}

function beyondRecovery(cause: unknown): ImageChangedError {
  if (cause instanceof ImageChangedError) return cause;
  return new ImageChangedError("The stored image is damaged, and the upstream now has different bytes", {
    cause,
  });
}
