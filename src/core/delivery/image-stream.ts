/** The stream that a caller of `get` holds: chunks cut to the byte range, progress, abort, and recovery when a chunk can't be had. */
import { ImageChangedError, InvalidArgumentError } from "../errors.ts";
import { detachIfWhole } from "../memory/free.ts";
import type { Span } from "../span.ts";
import type { ChunkSource } from "../store/read-image.ts";

/** How the stream gets its chunks, and what it calls. */
export interface ImageBody {
  readonly chunkBytes: number;
  readonly span: Span;
  /** Bytes that the span must have, if that is certain. */
  readonly exactBytes?: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** The chunks from the one that holds `span.start`. */
  readonly chunks: ChunkSource;
  /** Another way to the chunks from `index` on; `delivered` says whether the caller has any bytes yet. Rejects if there is none. */
  recover(index: number, failure: unknown, delivered: boolean): Promise<ChunkSource>;
  /** Changes a chunk, which lies at this byte of the image, before it is delivered. The buffer is the stream's own. */
  lay?(chunk: Uint8Array, position: number): void;
  onDelivered(bytes: number): void;
  /** All bytes of the span are delivered. */
  onWhole(bytes: number): void;
  /** The stream is over: whole, failed or left. */
  onEnd(failure?: unknown): void;
}

/** Makes the stream. Nothing is read before the consumer asks. */
export function createBodyStream(body: ImageBody): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { span, chunkBytes, signal } = body;
  let chunks = body.chunks;
  let index = Math.floor(span.start / chunkBytes);
  let deliveredBytes = 0;
  let isOver = false;

  const finish = (failure?: unknown) => {
    if (isOver) return;
    isOver = true;
    signal?.removeEventListener("abort", onAbort);
    chunks.close();
    body.onEnd(failure);
  };

  const nextChunk = async (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    for (;;) {
      try {
        return await chunks.next();
      } catch (failure) {
        if (isOver) throw failure;
        const previous = chunks;
        const next = await body.recover(index, failure, deliveredBytes > 0).finally(() => previous.close());
        if (isOver) next.close();
        chunks = next;
      }
    }
  };

  /** Where nobody knew the size before its end, only now a start behind it shows. */
  const assertStarted = (): undefined => {
    if (deliveredBytes > 0 || span.start === 0) return undefined;
    throw new InvalidArgumentError(`"range.start" is ${span.start}, but the image ends before that`);
  };

  /** Chunks that were got again in another way may be those of a shorter image. */
  const assertWhole = () => {
    if (deliveredBytes === (body.exactBytes ?? deliveredBytes)) return;
    throw new ImageChangedError(`The image ended after ${deliveredBytes} of ${body.exactBytes} bytes`);
  };

  /** The next bytes of the span; `undefined` at its end. */
  const nextBytes = async (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    for (;;) {
      const position = index * chunkBytes;
      if (position >= span.end) return assertStarted();
      const chunk = await nextChunk();
      if (!chunk) return assertStarted();
      index += 1;
      body.lay?.(chunk, position);
      const bytes = cut(chunk, span.start - position, span.end - position);
      if (bytes.length > 0) return bytes;
    }
  };

  let onAbort = () => {};
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        onAbort = () => {
          if (isOver) return;
          controller.error(signal?.reason);
          finish(signal?.reason);
        };
        // A signal that is aborted already tells nobody any more.
        if (signal?.aborted) onAbort();
        else signal?.addEventListener("abort", onAbort, { once: true });
      },
      async pull(controller) {
        try {
          const bytes = await nextBytes();
          if (isOver) return;
          if (!bytes) {
            assertWhole();
            body.onWhole(deliveredBytes);
            finish();
            controller.close();
            return;
          }
          deliveredBytes += bytes.length;
          body.onDelivered(deliveredBytes);
          if (!isOver) controller.enqueue(bytes);
        } catch (failure) {
          if (isOver) return;
          finish(failure);
          controller.error(failure);
        }
      },
      cancel: () => finish(),
    },
    { highWaterMark: 0 },
  );
}

/** A part of a chunk. If it is not the whole chunk, it has a buffer of its own: a view would keep the chunk's memory alive. */
function cut(chunk: Uint8Array<ArrayBuffer>, start: number, end: number): Uint8Array<ArrayBuffer> {
  const from = Math.max(0, start);
  const to = Math.min(chunk.length, end);
  if (from === 0 && to === chunk.length) return chunk;
  const part = chunk.slice(from, Math.max(from, to));
  detachIfWhole(chunk);
  return part;
}
