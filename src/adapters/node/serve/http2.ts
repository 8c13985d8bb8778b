/** What differs in HTTP/2: its requests and responses have a stream in place of a connection of their own. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";

/** The stream of an HTTP/2 request or response. `undefined` for HTTP/1. */
export function http2Stream(message: IncomingMessage | ServerResponse): ServerHttp2Stream | undefined {
  return (message as { stream?: ServerHttp2Stream }).stream;
}
