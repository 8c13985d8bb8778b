/** From a resolved image to its bytes: out of the cache, along with a transfer, or by a transfer of its own. */
import type { ManagerContext } from "../context.ts";
import { ImageChangedError, InvalidArgumentError } from "../errors.ts";
import { unlessAborted } from "../source.ts";
import { type Manifest, parseHttpDate, toImageInfo } from "../store/manifest.ts";
import { type ChunkSource, ChunkUnavailable, readImage } from "../store/read-image.ts";
import { followTransfer } from "../transfer/follow.ts";
import { createBodyStream, type Span } from "../transfer/image-stream.ts";
import type { OpenedBody } from "../transfer/opened.ts";
import { createProgress } from "../transfer/progress.ts";
import type { RunningTransfer } from "../transfer/running-transfer.ts";
import type { ImageInfo, ImageStream } from "../types.ts";
import { createHealer } from "./heal.ts";
import { followNew } from "./join-transfer.ts";
import type { ResolvedGet } from "./resolved-get.ts";

/** Streams a cached image. A chunk that is missing or damaged is fetched again and rewritten on the way. */
export function streamCached(
  context: ManagerContext,
  read: ResolvedGet,
  manifest: Manifest,
  origin: "cache" | "stale",
): ImageStream {
  const { span, id } = read;
  assertSpanWithin(span, manifest.size);
  const end = Math.min(span.end ?? manifest.size, manifest.size);
  const info = toImageInfo(id, manifest);
  const progress = createProgress(read.onProgress, context.now);
  progress.setTotal(end - span.start);
  const [first, last] = [Math.floor(span.start / manifest.chunkBytes), Math.ceil(end / manifest.chunkBytes)];
  const reading = { ...manifest }; // a key of its own: the same image may be read many times at once
  context.reading.set(reading, id);
  const body = createBodyStream({
    chunkBytes: manifest.chunkBytes,
    span: { start: span.start, end },
    exactBytes: end - span.start,
    signal: read.signal,
    chunks: readImage(context, manifest, first, last),
    recover: createHealer(context, read, manifest, last),
    onDelivered: progress.report,
    onEnd: () => context.reading.delete(reading),
  });
  return describe(body, read, {
    mime: manifest.mime,
    size: manifest.size,
    etag: info.etag,
    lastModified: info.lastModified,
    origin,
    committed: async () => info,
  });
}

/** Streams along with a transfer. Takes over the caller's hold on it. */
export function streamTransfer(
  context: ManagerContext,
  read: ResolvedGet,
  transfer: RunningTransfer,
  opened: OpenedBody,
  release: () => void,
): ImageStream {
  const { span } = read;
  if (opened.size !== undefined) assertSpanWithin(span, opened.size);
  const { chunkBytes } = transfer.window;
  const first = Math.floor(span.start / chunkBytes);
  const progress = createProgress(read.onProgress, context.now);
  void setTotal(progress, read, opened);
  const ended = Promise.withResolvers<{ failure?: unknown }>();
  const body = createBodyStream({
    chunkBytes,
    span,
    signal: read.signal,
    chunks: followTransfer(transfer, context, first),
    recover: (index, failure, delivered) =>
      continueElsewhere(context, read, transfer, index, failure, delivered),
    onDelivered: progress.report,
    onEnd: (failure) => ended.resolve({ failure }),
  });
  release();
  return describe(body, read, {
    mime: opened.mime,
    size: opened.size,
    etag: undefined,
    lastModified: parseHttpDate(opened.validators.lastModified),
    origin: "network",
    committed: () => committed(read.id, transfer, ended.promise),
  });
}

function assertSpanWithin({ start }: Span, size: number): void {
  if (start < size || (start === 0 && size === 0)) return;
  throw new InvalidArgumentError(`"range.start" is ${start}, but the image has only ${size} bytes`);
}

async function setTotal(
  progress: ReturnType<typeof createProgress>,
  { span, onProgress }: ResolvedGet,
  opened: OpenedBody,
): Promise<void> {
  if (!onProgress) return;
  const size = opened.size ?? (await opened.estimate());
  const end = Math.min(span.end ?? Number.POSITIVE_INFINITY, size ?? Number.POSITIVE_INFINITY);
  if (Number.isFinite(end)) progress.setTotal(end - span.start);
}

interface StreamFacts {
  readonly mime: string;
  readonly size: number | undefined;
  readonly etag: string | undefined;
  readonly lastModified: Date | undefined;
  readonly origin: ImageStream["origin"];
  committed(): Promise<ImageInfo | undefined>;
}

function describe(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { identity }: ResolvedGet,
  facts: StreamFacts,
): ImageStream {
  const { deviceType, version } = identity;
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
  return Object.assign(body, { deviceType, version, ...known }) as unknown as ImageStream;
}

async function committed(
  id: string,
  transfer: RunningTransfer,
  ended: Promise<{ failure?: unknown }>,
): Promise<ImageInfo | undefined> {
  const result = (async () => {
    try {
      const { manifest } = await transfer.outcome;
      return manifest && toImageInfo(id, manifest);
    } catch {
      const { failure } = await ended;
      if (failure !== undefined) throw failure;
      return undefined;
    }
  })();
  result.catch(() => undefined); // need not be awaited
  return result;
}

/** A reader that lags behind what memory and store have goes on with a transfer of its own, checked against what it was given. */
async function continueElsewhere(
  context: ManagerContext,
  read: ResolvedGet,
  transfer: RunningTransfer,
  index: number,
  failure: unknown,
  delivered: boolean,
): Promise<ChunkSource> {
  const { id, identity, signal } = read;
  const { chunkBytes, digests } = transfer.window;
  const { previous } = transfer.options;
  if (failure instanceof ChunkUnavailable) {
    const options = { id, identity, isStored: false, expected: [...digests], chunkBytes, previous };
    return followNew(context, options, index, signal);
  }
  // Who has nothing yet may as well have the new bytes: all by one transfer, once the old one has let go of its lease.
  if (failure instanceof ImageChangedError && !delivered && !transfer.options.expected) {
    await unlessAborted(signal, () => transfer.outcome.catch(() => undefined));
    return followNew(
      context,
      { id, identity, isStored: transfer.options.isStored, chunkBytes, previous },
      index,
      signal,
    );
  }
  throw failure;
}
