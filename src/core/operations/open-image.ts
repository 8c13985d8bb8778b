/** From a resolved image to its bytes: out of the cache, along with a transfer, or by a transfer of its own. */
import type { ManagerContext } from "../context.ts";
import { ImageChangedError, IntegrityError, InvalidArgumentError, isImageManagerError } from "../errors.ts";
import type { ImageIdentity } from "../identity.ts";
import { unlessAborted } from "../source.ts";
import { imageKey } from "../store/keys.ts";
import { type Manifest, parseHttpDate, toImageInfo } from "../store/manifest.ts";
import { type ChunkSource, ChunkUnavailable, readImage } from "../store/read-image.ts";
import { followTransfer } from "../transfer/follow.ts";
import { createBodyStream, type Span } from "../transfer/image-stream.ts";
import type { OpenedBody } from "../transfer/opened.ts";
import { createProgress } from "../transfer/progress.ts";
import { Transfer, type TransferOptions } from "../transfer/transfer.ts";
import type { CacheMode, GetOptions, ImageInfo, ImageStream } from "../types.ts";
import { orStoreFault } from "./store-fault.ts";

/** One get, as far as it is decided. */
export interface ImageRead {
  readonly id: string;
  readonly identity: ImageIdentity;
  readonly mode: CacheMode;
  readonly span: Span;
  readonly signal: AbortSignal;
  readonly onProgress: GetOptions["onProgress"];
}

/** Streams a cached image. A chunk that is missing or damaged is fetched again and rewritten on the way. */
export function streamCached(
  context: ManagerContext,
  read: ImageRead,
  manifest: Manifest,
  origin: "cache" | "stale",
): ImageStream {
  const { span, id } = read;
  assertSpanWithin(span, manifest.size);
  const { store, memory } = context;
  const end = Math.min(span.end ?? manifest.size, manifest.size);
  const info = toImageInfo(id, manifest);
  const progress = createProgress(read.onProgress, context.now);
  progress.setTotal(end - span.start);
  const body = createBodyStream({
    chunkBytes: manifest.chunkBytes,
    span: { start: span.start, end },
    signal: read.signal,
    chunks: readImage(
      store,
      memory,
      manifest,
      Math.floor(span.start / manifest.chunkBytes),
      Math.ceil(end / manifest.chunkBytes),
    ),
    recover: (index, failure) => heal(context, read, manifest, index, failure),
    onDelivered: progress.report,
    onEnd: () => undefined,
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
  read: ImageRead,
  transfer: Transfer,
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
    chunks: followTransfer(transfer, context.store, first),
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

/** Joins the running transfer of an image, or starts it. The caller holds it until it calls `release`. */
export function joinTransfer(
  context: ManagerContext,
  options: TransferOptions,
): { transfer: Transfer; release: () => void } {
  const transfer = context.transfers.get(options.id) ?? startTransfer(context, options);
  return { transfer, release: transfer.hold() };
}

function startTransfer(context: ManagerContext, options: TransferOptions): Transfer {
  const transfer = new Transfer(context, options);
  context.transfers.set(options.id, transfer);
  return transfer;
}

function assertSpanWithin({ start }: Span, size: number): void {
  if (start < size || (start === 0 && size === 0)) return;
  throw new InvalidArgumentError(`"range.start" is ${start}, but the image has only ${size} bytes`);
}

async function setTotal(
  progress: ReturnType<typeof createProgress>,
  { span, onProgress }: ImageRead,
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
  { identity }: ImageRead,
  facts: StreamFacts,
): ImageStream {
  const { deviceType, version } = identity;
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
  return Object.assign(body, { deviceType, version, ...known }) as unknown as ImageStream;
}

async function committed(
  id: string,
  transfer: Transfer,
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

/** A cached image with a bad chunk: a transfer brings the image again, compared with the manifest, and rewrites its chunks. */
async function heal(
  context: ManagerContext,
  read: ImageRead,
  manifest: Manifest,
  index: number,
  failure: unknown,
): Promise<ChunkSource> {
  const { id, identity, mode, signal } = read;
  if (failure instanceof ImageChangedError) {
    // The rest of the stored image is nowhere to be had: the next get is to fetch the new one.
    await orStoreFault(context, "remove", () => context.store.remove(imageKey(id)));
    throw failure;
  }
  if (!(failure instanceof ChunkUnavailable)) throw failure;
  if (mode === "only-if-cached") throw new IntegrityError(id, index, { cause: failure });
  const options: TransferOptions = {
    id,
    identity,
    isStored: true,
    expected: manifest.chunks,
    chunkBytes: manifest.chunkBytes,
    previous: manifest,
  };
  try {
    const chunks = await followNew(context, options, index, signal);
    context.emit({ type: "healed", image: id, chunks: 1 });
    return chunks;
  } catch (cause) {
    if (!isImageManagerError(cause) || cause.code !== "UPSTREAM") throw cause;
    throw new IntegrityError(id, index, { cause });
  }
}

/** A reader that lags behind what memory and store have goes on with a transfer of its own, checked against what it was given. */
async function continueElsewhere(
  context: ManagerContext,
  read: ImageRead,
  transfer: Transfer,
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
  // Who has nothing yet may as well have the new bytes.
  if (failure instanceof ImageChangedError && !delivered && !transfer.options.expected) {
    return followNew(
      context,
      { id, identity, isStored: transfer.options.isStored, chunkBytes, previous },
      index,
      signal,
    );
  }
  throw failure;
}

/** Starts a transfer and reads along. It is shared with later gets where no other one runs. */
async function followNew(
  context: ManagerContext,
  options: TransferOptions,
  index: number,
  signal: AbortSignal,
): Promise<ChunkSource> {
  const isShared = options.isStored && !context.transfers.has(options.id);
  const transfer = isShared
    ? startTransfer(context, options)
    : new Transfer(context, { ...options, isStored: false });
  const release = transfer.hold();
  try {
    await unlessAborted(signal, () => transfer.opened);
    return followTransfer(transfer, context.store, index);
  } finally {
    release();
  }
}
