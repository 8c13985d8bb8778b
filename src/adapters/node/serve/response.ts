/** Sends a web response through `node:http`, at the client's pace. A client can always see that a body is incomplete. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { arePiecesOurs, detachBuffer } from "../../../core/memory/free.ts";

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
  if (options.signal.aborted || mayHaveNoBody(outgoing, status)) await body?.cancel();
  options.signal.throwIfAborted();
  outgoing.statusCode = status;
  outgoing.statusMessage = statusText;
  outgoing.setHeaders(response.headers);
  if (!body || mayHaveNoBody(outgoing, status)) outgoing.end();
  else await sendBody(body, outgoing, options);
}

function mayHaveNoBody(outgoing: ServerResponse, status: number): boolean {
  return outgoing.req.method === "HEAD" || status === 204 || status === 304;
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
  try {
    outgoing.strictContentLength = true; // Node throws where the body is longer or shorter
    outgoing.flushHeaders(); // the first bytes may take long
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const piece = part.value;
      const onSent = isToFree ? () => detachBuffer(piece) : undefined;
      if (!outgoing.write(piece, onSent)) await drained(outgoing, signal, sendTimeoutMs);
    }
    outgoing.end();
  } catch (failure) {
    cancel(failure);
    throw failure;
  } finally {
    signal.removeEventListener("abort", onGone);
  }
}

/** The socket's own timer runs only while a client lets us wait, and counts every byte that it takes. */
async function drained(outgoing: ServerResponse, signal: AbortSignal, timeoutMs: number): Promise<void> {
  const { socket } = outgoing;
  socket?.setTimeout(timeoutMs);
  await once(outgoing, "drain", { signal });
  socket?.setTimeout(0);
}
