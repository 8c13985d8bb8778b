/** Tells when a client leaves before it has its whole answer. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { http2Stream } from "./http2.ts";

/** A signal that aborts then. */
export function clientSignal(incoming: IncomingMessage, outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController();
  const look = () => {
    if (!outgoing.writableFinished) gone.abort(new DOMException("The client is gone", "AbortError"));
  };
  outgoing.once("close", look);
  // On Node 22, a response that waits behind another on its connection gets no event when that breaks. The request's own event also comes
  // when a body parser has read all of it.
  if (!http2Stream(incoming))
    incoming.once("close", () => {
      if (incoming.socket.destroyed) look();
    });
  if (outgoing.destroyed) look();
  return gone.signal;
}
