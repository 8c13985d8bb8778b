/** `requestListener`: makes a handler of web requests, such as that of `createImageHandler`, a listener of `node:http` and of frameworks over it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { InvalidArgumentError } from "../../core/errors.ts";
import { clientSignal } from "./serve/client-signal.ts";
import { requestOf } from "./serve/request.ts";
import { drop } from "./serve/request-body.ts";
import { breakOff, endWith, sendResponse } from "./serve/response.ts";

/** Options of {@link requestListener}. */
export interface RequestListenerOptions {
  /** Milliseconds after which a client is cut off if it reads no byte of its answer, from 1. Default 60,000. */
  sendTimeoutMs?: number | undefined;
  /**
   * Give the handler the path that the client asked for, also if the framework has taken a prefix from it (Express, Nest and others keep it
   * as `originalUrl`). Default `false`: the handler gets the path below the prefix.
   */
  useOriginalUrl?: boolean | undefined;
  /** Receives errors of the handler and of bodies. Clients never see them. Errors that it throws are ignored. Default: none. */
  onError?: ((error: unknown, request: Request) => void) | undefined;
}

/** Answers a request of `node:http` or `node:http2`. The promise resolves when the whole answer is handed over, and never rejects. */
export type NodeRequestListener = (
  incoming: IncomingMessage | Http2ServerRequest,
  outgoing: ServerResponse | Http2ServerResponse,
) => Promise<void>;

/**
 * Makes a handler a listener for `node:http`, `node:http2`, Express, Fastify, Koa, Nest, and everything else that hands out the objects of
 * `node:http`. `docs/serving.md` shows each of them.
 *
 * When the client goes, the handler's `request.signal` aborts and its response body is cancelled. A body is read from the handler only as
 * fast as the client takes it. If the handler throws, the client gets a 500 without detail. If a body fails or does not have the length of
 * its Content-Length, the connection (HTTP/2: the stream) breaks, so that the client does not take the body for complete.
 *
 * Header fields that a middleware has set stay, unless the answer has a field of the same name. Of `Vary` and `Set-Cookie` both are sent. A
 * request's body is passed on as a stream. If a body parser has read it already, the handler gets what the parser has left as `rawBody`
 * or `body`: bytes, a text, or an object that was JSON.
 *
 * @throws `INVALID_ARGUMENT` if the handler is no function or an option is wrong.
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { createImageHandler } from "balena-image-manager/http";
 * import { requestListener } from "balena-image-manager/node";
 *
 * const listener = requestListener(createImageHandler(images)); // Express: app.use("/os", listener)
 * const server = createServer(listener).listen(8080);
 * ```
 */
export function requestListener(
  handler: (request: Request) => Response | Promise<Response>,
  options: RequestListenerOptions = {},
): NodeRequestListener {
  const checked = checkedListenerOptions(handler, options);
  // HTTP/2's two objects have the same methods, but for what ./serve asks about.
  return (incoming, outgoing) =>
    answer(handler, incoming as IncomingMessage, outgoing as ServerResponse, checked);
}

type CheckedOptions = ReturnType<typeof checkedListenerOptions>;

async function answer(
  handler: (request: Request) => Response | Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { sendTimeoutMs, useOriginalUrl, onError }: CheckedOptions,
): Promise<void> {
  const signal = clientSignal(incoming, outgoing);
  const request = requestOf(incoming, { signal, useOriginalUrl });
  if (!request) return endWith(outgoing, 400);
  const others = new Set(outgoing.getHeaderNames());
  let isBegun = false;
  try {
    const response = await handler(request);
    isBegun = !outgoing.headersSent;
    await sendResponse(response, outgoing, { signal, sendTimeoutMs });
  } catch (error) {
    if (signal.aborted) return;
    report(onError, error, request);
    if (!outgoing.headersSent) endWith(outgoing, 500, others);
    else if (isBegun) breakOff(outgoing);
  } finally {
    drop(incoming);
  }
}

function report(onError: RequestListenerOptions["onError"], error: unknown, request: Request): void {
  try {
    onError?.(error, request);
  } catch {
    // A handler of errors must not break the answer.
  }
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and what it takes. */
export function checkedListenerOptions(handler: unknown, options: RequestListenerOptions) {
  const assert = (isRight: boolean, text: string) => {
    if (!isRight) throw new InvalidArgumentError(text);
  };
  assert(typeof handler === "function", "The handler must be a function");
  assert(typeof options === "object" && options !== null, "The options must be an object");
  const { sendTimeoutMs = 60_000, useOriginalUrl = false, onError } = options;
  assert(Number.isFinite(sendTimeoutMs) && sendTimeoutMs >= 1, '"sendTimeoutMs" must be a number from 1');
  assert(typeof useOriginalUrl === "boolean", '"useOriginalUrl" must be true or false');
  assert(onError === undefined || typeof onError === "function", '"onError" must be a function');
  return { sendTimeoutMs, useOriginalUrl, onError };
}
