/** `serve`: a `node:http` server for a handler of web requests, such as that of `createImageHandler`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { InvalidArgumentError } from "../../core/errors.ts";
import { requestOf } from "./serve/request.ts";
import { sendResponse } from "./serve/response.ts";

/** Options of {@link serve}. */
export interface ServeOptions {
  /** Port to listen on, 0 to 65,535. Default 0: a free port, which {@link RunningServer.url} shows. */
  port?: number | undefined;
  /** Address or name to listen on. Use `0.0.0.0` or `::` for all addresses. Default `127.0.0.1`: only this machine can connect. */
  hostname?: string | undefined;
  /** Closes the server when it aborts. Default: none. */
  signal?: AbortSignal | undefined;
  /** Milliseconds that `close` waits for unfinished answers before it cuts them off, from 0. `Infinity` waits without limit. Default 10,000. */
  closeTimeoutMs?: number | undefined;
  /** Milliseconds after which a client is cut off if it reads no byte of its answer, from 1. Default 60,000. */
  sendTimeoutMs?: number | undefined;
  /** Receives errors of the handler and of bodies. Clients never see them. Errors that it throws are ignored. Default: none. */
  onError?: ((error: unknown, request: Request) => void) | undefined;
}

/** A server that is listening. */
export interface RunningServer extends AsyncDisposable {
  /** Origin of the server, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Stops accepting connections and closes idle ones. Unfinished answers have `closeTimeoutMs` to end. Resolves when all connections are
   * closed.
   */
  close(): Promise<void>;
}

/**
 * Starts an HTTP/1.1 server for a handler.
 *
 * When the client goes, the handler's `request.signal` aborts and its response body is cancelled. If the handler throws, the client gets a
 * 500 without detail. If a body fails or does not have the length of its Content-Length, the connection breaks, so that the client does not
 * take the body for complete. Requests have no body, so use it for handlers of GET and HEAD.
 *
 * @throws `INVALID_ARGUMENT` if an option is wrong, or if the port or address can't be listened on.
 * @example
 * ```ts
 * import { createImageHandler } from "balena-image-manager/http";
 * import { serve } from "balena-image-manager/node";
 *
 * const server = await serve(createImageHandler(images), { port: 8080 });
 * console.log(server.url);
 * process.once("SIGTERM", () => server.close());
 * ```
 */
export async function serve(
  handler: (request: Request) => Response | Promise<Response>,
  options: ServeOptions = {},
): Promise<RunningServer> {
  const checked = checkedOptions(handler, options);
  const { signal, closeTimeoutMs } = checked;
  const server = createServer((incoming, outgoing) => {
    void answer(handler, incoming, outgoing, checked);
    // Node ends connections that are idle when it is told to close; those that become so later would stay for seconds.
    outgoing.once("close", () => setImmediate(endIdle));
  });
  const endIdle = () => {
    if (!server.listening) server.closeIdleConnections();
  };
  const url = await listen(server, checked);
  let closing: Promise<void> | undefined;
  const close = () => {
    signal?.removeEventListener("abort", close);
    closing ??= shut(server, closeTimeoutMs);
    return closing;
  };
  signal?.addEventListener("abort", close);
  if (signal?.aborted) {
    await close();
    signal.throwIfAborted();
  }
  return { url, close, [Symbol.asyncDispose]: close };
}

type CheckedOptions = ReturnType<typeof checkedOptions>;

async function answer(
  handler: (request: Request) => Response | Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { sendTimeoutMs, onError }: CheckedOptions,
): Promise<void> {
  const gone = new AbortController();
  // Not the answer's own event: on Node 22, one that waits behind another on its connection gets none when that breaks.
  incoming.once("close", () => {
    if (!outgoing.writableFinished) gone.abort(new DOMException("The client is gone", "AbortError"));
  });
  const request = requestOf(incoming, gone.signal);
  if (!request) return endWith(outgoing, 400);
  try {
    const response = await handler(request);
    await sendResponse(response, outgoing, { signal: gone.signal, sendTimeoutMs });
  } catch (error) {
    if (gone.signal.aborted) return;
    report(onError, error, request);
    if (outgoing.headersSent) breakOff(outgoing);
    else endWith(outgoing, 500);
  }
}

function endWith(outgoing: ServerResponse, status: 400 | 500): void {
  for (const name of outgoing.getHeaderNames()) outgoing.removeHeader(name);
  outgoing.statusMessage = "";
  outgoing.writeHead(status).end();
}

/** If nothing gives the body's length, the end of the connection is the end of the body. Only a reset shows that it is incomplete. */
function breakOff(outgoing: ServerResponse): void {
  if (outgoing.chunkedEncoding || outgoing.hasHeader("content-length")) outgoing.destroy();
  else outgoing.socket?.resetAndDestroy();
}

function report(onError: ServeOptions["onError"], error: unknown, request: Request): void {
  try {
    onError?.(error, request);
  } catch {
    // Who is told must not break the answer.
  }
}

async function listen(server: Server, { port, hostname }: CheckedOptions): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new InvalidArgumentError(`Can't listen on "${hostname}", port ${port}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(port, hostname, resolve);
  });
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

async function shut(server: Server, closeTimeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const timer = Number.isFinite(closeTimeoutMs)
    ? setTimeout(() => server.closeAllConnections(), closeTimeoutMs)
    : undefined;
  await closed;
  clearTimeout(timer);
}

function checkedOptions(handler: unknown, options: ServeOptions) {
  const {
    port = 0,
    hostname = "127.0.0.1",
    signal,
    closeTimeoutMs = 10_000,
    sendTimeoutMs = 60_000,
  } = options;
  const { onError } = options;
  const assert = (isRight: boolean, text: string) => {
    if (!isRight) throw new InvalidArgumentError(text);
  };
  assert(typeof handler === "function", "The handler must be a function");
  assert(
    Number.isInteger(port) && port >= 0 && port <= 65_535,
    '"port" must be a whole number from 0 to 65,535',
  );
  assert(typeof hostname === "string" && hostname !== "", '"hostname" must be an address or a name');
  assert(signal === undefined || signal instanceof AbortSignal, '"signal" must be an AbortSignal');
  assert(closeTimeoutMs >= 0, '"closeTimeoutMs" must be a number from 0');
  assert(Number.isFinite(sendTimeoutMs) && sendTimeoutMs >= 1, '"sendTimeoutMs" must be a number from 1');
  assert(onError === undefined || typeof onError === "function", '"onError" must be a function');
  signal?.throwIfAborted();
  return { port, hostname, signal, closeTimeoutMs, sendTimeoutMs, onError };
}
