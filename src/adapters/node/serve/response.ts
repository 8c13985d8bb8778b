/** Sends a web response through `node:http` or `node:http2`, at the client's pace. A client can always see that a body is incomplete. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { arePiecesOurs, detachBuffer } from "../../../core/memory/free.ts";
import { http2Stream } from "./http2.ts";

/** How it is sent. */
export interface SendOptions {
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** A client that takes no byte for so long is cut off. */
  readonly sendTimeoutMs: number;
}

/** Settles when all is handed over. Rejects if the response can't be sent, or the body fails; the caller then ends it. */
export async function sendResponse(
  response: Response,
  outgoing: ServerResponse,
  options: SendOptions,
): Promise<void> {
  if (!(response instanceof Response)) throw new TypeError("The handler returned no Response");
  const { status, statusText, body } = response;
  const isAnswered = outgoing.headersSent || outgoing.writableEnded;
  const isBodiless = mayHaveNoBody(outgoing, status);
  if (isAnswered || isBodiless || options.signal.aborted) await body?.cancel();
  options.signal.throwIfAborted();
  if (isAnswered) throw new Error("The request was answered before the handler's response could be sent");
  outgoing.statusCode = status;
  if (!http2Stream(outgoing)) outgoing.statusMessage = statusText; // HTTP/2 has none
  setHeaders(outgoing, response.headers);
  if (!body || isBodiless) outgoing.end();
  else await sendBody(body, outgoing, options);
}

/** Ends an answer that has not begun, without the fields of one that failed. Those that others have set stay. */
export function endWith(outgoing: ServerResponse, status: 400 | 500, others?: ReadonlySet<string>): void {
  for (const name of outgoing.getHeaderNames()) if (others && !others.has(name)) outgoing.removeHeader(name);
  if (!http2Stream(outgoing)) outgoing.statusMessage = "";
  outgoing.writeHead(status).end();
}

/** If nothing gives the body's length, the end of the connection is the end of the body. Only a reset shows that it is incomplete. */
export function breakOff(outgoing: ServerResponse): void {
  const stream = http2Stream(outgoing);
  if (stream) stream.close(internalError);
  else if (outgoing.chunkedEncoding || outgoing.hasHeader("content-length")) outgoing.destroy();
  else outgoing.socket?.resetAndDestroy();
}

/** RFC 9113, section 7. */
const internalError = 2;

function mayHaveNoBody(outgoing: ServerResponse, status: number): boolean {
  return outgoing.req.method === "HEAD" || status === 204 || status === 304;
}

/** RFC 9113, section 8.2.2: Node throws for these in HTTP/2. */
const connectionFields =
  /^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade|http2-settings)$/;

function setHeaders(outgoing: ServerResponse, headers: Headers): void {
  for (const [name, value] of headers) {
    if (http2Stream(outgoing) && connectionFields.test(name)) continue;
    // A middleware's own (of CORS, of a session) are true as well.
    if (name === "vary" || name === "set-cookie") outgoing.appendHeader(name, value);
    else outgoing.setHeader(name, value);
  }
}

async function sendBody(
  body: ReadableStream<Uint8Array>,
  outgoing: ServerResponse,
  { signal, sendTimeoutMs }: SendOptions,
): Promise<void> {
  const isToFree = arePiecesOurs(body);
  const reader = body.getReader();
  const cancel = (reason: unknown) => void reader.cancel(reason).catch(() => {});
  const onGone = () => cancel(signal.reason);
  signal.addEventListener("abort", onGone, { once: true });
  const count = lengthCounter(outgoing.getHeader("content-length"));
  try {
    outgoing.flushHeaders(); // the first bytes may take long
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const piece = part.value;
      count.add(piece.length);
      const onSent = isToFree ? () => detachBuffer(piece) : undefined;
      if (!outgoing.write(piece, onSent)) await drained(outgoing, signal, sendTimeoutMs);
    }
    signal.throwIfAborted();
    count.end();
    outgoing.end();
  } catch (failure) {
    cancel(failure);
    throw failure;
  } finally {
    signal.removeEventListener("abort", onGone);
  }
}

/** Holds a body to its Content-Length. */
function lengthCounter(length: number | string | string[] | undefined) {
  const expected = length === undefined ? undefined : Number(length);
  let sent = 0;
  const check = (isRight: boolean) => {
    if (!isRight) throw new Error(`The body has not the ${expected} bytes of its Content-Length`);
  };
  return {
    add(bytes: number) {
      sent += bytes;
      check(expected === undefined || sent <= expected);
    },
    end: () => check(expected === undefined || sent === expected),
  };
}

/** The timer runs only while a client lets us wait, and counts every byte that it takes. */
async function drained(outgoing: ServerResponse, signal: AbortSignal, timeoutMs: number): Promise<void> {
  const channel = http2Stream(outgoing) ?? outgoing.socket;
  const cut = () => outgoing.destroy(); // Node does it by itself, unless somebody else listens
  const before = outgoing.socket?.timeout ?? 0;
  channel?.setTimeout(timeoutMs, cut);
  try {
    await once(outgoing, "drain", { signal });
  } finally {
    channel?.off("timeout", cut);
    channel?.setTimeout(http2Stream(outgoing) ? 0 : before);
  }
}
