/** Turns a request of `node:http` or `node:http2` into a web request, if it can be one. */
import type { IncomingMessage } from "node:http";
import { http2Stream } from "./http2.ts";
import { requestBody } from "./request-body.ts";

// What may stand in a URL before the path; above all no user, path or query of its own.
const authority = /^(?:[\w.~%-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** What the request is made with. */
export interface RequestOptions {
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Whether a prefix that a framework has taken from the path belongs to it. */
  readonly useOriginalUrl: boolean;
}

/** `undefined` for one that has no right host or target, or can't be said as a web request (CONNECT, TRACE). */
export function requestOf(
  incoming: IncomingMessage,
  { signal, useOriginalUrl }: RequestOptions,
): Request | undefined {
  const { originalUrl } = incoming as { originalUrl?: string };
  const url = urlOf(incoming, (useOriginalUrl ? originalUrl : undefined) ?? incoming.url ?? "");
  if (!url) return undefined;
  const { method = "GET" } = incoming;
  try {
    const { init, isRemade } = requestBody(incoming);
    const headers = headersOf(incoming);
    if (isRemade) for (const name of ["content-length", "content-encoding"]) headers.delete(name);
    return new Request(url, { method, headers, signal, ...init });
  } catch {
    return undefined;
  }
}

/** An absolute target says its own host, as RFC 9112, 3.2.2 wants it; `*` and others name no resource. */
function urlOf(incoming: IncomingMessage, target: string): URL | null | undefined {
  const [host = "", ...others] = hostsOf(incoming);
  if (others.length > 0 || !authority.test(host)) return undefined;
  const isEncrypted = (incoming.socket as { encrypted?: boolean }).encrypted === true;
  const text = target.startsWith("/") ? `${isEncrypted ? "https" : "http"}://${host}${target}` : target;
  if (!/^https?:\/\//i.test(text)) return undefined;
  const url = URL.parse(text);
  return url && url.username === "" && url.password === "" ? url : undefined;
}

function hostsOf(incoming: IncomingMessage): readonly string[] {
  if (http2Stream(incoming)) return [(incoming as { authority?: string }).authority ?? ""];
  const { headersDistinct, httpVersionMajor, httpVersionMinor } = incoming;
  // HTTP/1.0 knew no Host header; Node itself refuses 1.1 without one.
  const isOld = httpVersionMajor === 1 && httpVersionMinor === 0;
  return headersDistinct["host"] ?? (isOld ? ["localhost"] : []);
}

/** Repeated ones stay apart here, and `Headers` joins them as it should. HTTP/2's own begin with a colon. */
function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (!name.startsWith(":")) headers.append(name, rawHeaders[at + 1] as string);
  }
  return headers;
}
