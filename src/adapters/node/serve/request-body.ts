/** The body of a request: read when it is asked for, or put together again from what a body parser has made of it. */
import type { IncomingMessage } from "node:http";
import { http2Stream } from "./http2.ts";

/** A body for `new Request`, and whether it is another one than the client sent. */
export interface RequestBody {
  readonly init: RequestInit & { readonly duplex?: "half" };
  readonly isRemade: boolean;
}

/** `GET` and `HEAD` have none, as `fetch` sees it. */
export function requestBody(incoming: IncomingMessage): RequestBody {
  const { method = "GET", readableDidRead } = incoming;
  if (method === "GET" || method === "HEAD" || !hasBody(incoming)) return { init: {}, isRemade: false };
  const body = readableDidRead ? parsedBody(incoming) : streamOf(incoming);
  return { init: { body, duplex: "half" }, isRemade: readableDidRead };
}

/** Lets the client send what nobody has read to its end: the next request on the connection comes after it. */
export function drop(incoming: IncomingMessage): void {
  // Node drops a body that nobody has begun to read.
  if (incoming.readableDidRead && !incoming.readableEnded) incoming.removeAllListeners("readable").resume();
}

function hasBody(incoming: IncomingMessage): boolean {
  const stream = http2Stream(incoming);
  if (stream) return !stream.endAfterHeaders;
  const { "content-length": length, "transfer-encoding": coding } = incoming.headers;
  return coding !== undefined || (length !== undefined && length !== "0");
}

/** Nothing is read ahead. */
function streamOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const pieces = incoming.iterator({ destroyOnReturn: false });
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => void (await pieces.return?.()),
    },
    { highWaterMark: 0 },
  );
}

/** What body parsers leave. An object that was no JSON can't be put together again, and a parser may leave nothing. */
function parsedBody(incoming: IncomingMessage): Uint8Array<ArrayBuffer> | string | ReadableStream {
  const { rawBody, body } = incoming as { rawBody?: unknown; body?: unknown };
  const left = rawBody ?? body;
  if (typeof left === "string" || left instanceof Uint8Array) return left as Uint8Array<ArrayBuffer> | string;
  const isJson = /^application\/(.+\+)?json\b/i.test(incoming.headers["content-type"] ?? "");
  if (isJson && left !== undefined) return JSON.stringify(left);
  const failure = new TypeError("The body was read before the handler got the request");
  return new ReadableStream({ pull: (controller) => controller.error(failure) }, { highWaterMark: 0 });
}
