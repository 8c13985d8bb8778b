/** The body of an answer: an image's stream. The first piece is read ahead, and the end is reported. */
import type { ImageStream } from "../types.ts";

/** An image's stream, or another one whose length is known. */
type Body = ReadableStream<Uint8Array<ArrayBuffer>> & Partial<Pick<ImageStream, "committed">>;

/** How a body went. */
export interface BodyEnd {
  /** Set if it broke off. */
  readonly failure?: unknown;
}

/**
 * Makes a body as soon as the first piece has come. The number of its bytes is given if it is known. A transfer that fails at once is still
 * answered with a status.
 * `onEnd` is called once: at the end, when it breaks off, or when the client has left.
 *
 * @throws What the stream fails with before its first piece.
 */
export async function openBody(
  stream: Body,
  bytes: number | undefined,
  onEnd: (end: BodyEnd) => void,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const reader = stream.getReader();
  let first: Awaited<ReturnType<typeof reader.read>> | undefined = await reader.read();
  // An abort of the request errors the stream. So this comes even if nobody reads or cancels the body any more.
  reader.closed.then(
    () => onEnd({}),
    (failure) => onEnd({ failure }),
  );
  const body = new ReadableStream({
    type: "bytes", // so that a server may free what it has sent
    async pull(controller) {
      const { done, value } = first ?? (await reader.read());
      first = undefined;
      if (!done) return controller.enqueue(value);
      // If no length was sent, the end itself says that all has come. An end that nothing proves must not say so.
      if (bytes === undefined) await stream.committed?.();
      controller.close();
      controller.byobRequest?.respond(0); // otherwise a reader with its own buffer would wait for ever
    },
    cancel: (reason) => reader.cancel(reason),
  });
  try {
    return bytes === undefined ? body : ofLength(body, bytes);
  } catch (failure) {
    await reader.cancel(failure).catch(() => undefined);
    throw failure;
  }
}

/** An empty body whose length is not known before it is read. For an absent body, Bun and Deno would send the length 0. */
export function emptyBody(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({ pull: (controller) => controller.close() }, { highWaterMark: 0 });
}

/**
 * workerd sends a length only with a stream of its own class; any other stream that breaks off it ends as if that were all.
 * Elsewhere the Content-Length says enough.
 */
function ofLength(body: ReadableStream<Uint8Array<ArrayBuffer>>, bytes: number) {
  const { FixedLengthStream } = globalThis as { FixedLengthStream?: FixedLength };
  return FixedLengthStream ? body.pipeThrough(new FixedLengthStream(bytes)) : body;
}

type FixedLength = new (bytes: number) => TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>;
