/** `serve`: a `node:http` server for a handler of web requests, such as that of `createImageHandler`. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { InvalidArgumentError } from "../../core/errors.ts";
import { checkedListenerOptions, type RequestListenerOptions, requestListener } from "./request-listener.ts";

/** Options of {@link serve}. */
export interface ServeOptions extends Omit<RequestListenerOptions, "useOriginalUrl"> {
  /** Port to listen on, 0 to 65,535. Default 0: a free port, which {@link RunningServer.url} shows. */
  port?: number | undefined;
  /** Address or name to listen on. Use `0.0.0.0` or `::` for all addresses. Default `127.0.0.1`: only this machine can connect. */
  hostname?: string | undefined;
  /** Closes the server when it aborts. Default: none. */
  signal?: AbortSignal | undefined;
  /** Milliseconds that `close` waits for unfinished answers before it cuts them off, from 0. `Infinity` waits without limit. Default 10,000. */
  closeTimeoutMs?: number | undefined;
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
 * Starts an HTTP/1.1 server for a handler. It answers as {@link requestListener} does, which you can use if you have a server already.
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
  const listener = requestListener(handler, checked.listener);
  const server = createServer((incoming, outgoing) => {
    void listener(incoming, outgoing);
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
    sendTimeoutMs,
    onError,
  } = options;
  const assert = (isRight: boolean, text: string) => {
    if (!isRight) throw new InvalidArgumentError(text);
  };
  assert(
    Number.isInteger(port) && port >= 0 && port <= 65_535,
    '"port" must be a whole number from 0 to 65,535',
  );
  assert(typeof hostname === "string" && hostname !== "", '"hostname" must be an address or a name');
  assert(signal === undefined || signal instanceof AbortSignal, '"signal" must be an AbortSignal');
  assert(closeTimeoutMs >= 0, '"closeTimeoutMs" must be a number from 0');
  const listener = checkedListenerOptions(handler, { sendTimeoutMs, onError });
  signal?.throwIfAborted();
  return { port, hostname, signal, closeTimeoutMs, listener };
}
