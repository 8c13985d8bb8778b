// One request with its response, as every endpoint gets it, and the one way to answer it in full.
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Access } from "./auth.ts";
import type { LoggedRequest } from "./counters.ts";
import type { Refusal } from "./faults.ts";

/** A request and its response. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** The log's entry of it. */
  readonly log: LoggedRequest;
  readonly access: Access;
}

/** Answers in full: a string as text (that of a refusal as JSON, as the API does), anything else as JSON, `undefined` without a body. */
export function answer(
  { response, log }: Exchange,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  log.status = status;
  const isText = typeof body === "string" && status < 400;
  const type = isText ? "text/plain" : "application/json";
  response.writeHead(status, {
    ...(body !== undefined && { "content-type": `${type}; charset=utf-8` }),
    ...headers,
  });
  response.end(isText || body === undefined ? body : JSON.stringify(body));
}

/** The Retry-After header of a refusal, if it has one. */
export function retryAfterHeader({ retryAfter }: Refusal): OutgoingHttpHeaders {
  return retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
}
