/** Turns a request of `node:http` into a web request, if it can be one. */
import type { IncomingMessage } from "node:http";

// What may stand in a URL before the path; above all no user, path or query of its own.
const authority = /^(?:[\w.~%-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** `undefined` for one that has no right host or target, or can't be said as a web request (CONNECT, TRACE). */
export function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const url = urlOf(incoming);
  if (!url) return undefined;
  try {
    return new Request(url, { method: incoming.method ?? "GET", headers: headersOf(incoming), signal });
  } catch {
    return undefined;
  }
}

/** An absolute target says its own host, as RFC 9112, 3.2.2 wants it; `*` and others name no resource. */
function urlOf({ url: target = "", httpVersionMajor, httpVersionMinor, headersDistinct }: IncomingMessage) {
  const [host, ...others] = headersDistinct["host"] ?? [];
  // HTTP/1.0 knew no Host header; Node itself refuses 1.1 without one.
  const isOld = httpVersionMajor === 1 && httpVersionMinor === 0;
  const checkedHost = host ?? (isOld ? "localhost" : "");
  if (others.length > 0 || !authority.test(checkedHost)) return undefined;
  const text = target.startsWith("/") ? `http://${checkedHost}${target}` : target;
  if (!/^https?:\/\//i.test(text)) return undefined;
  const url = URL.parse(text);
  return url && url.username === "" && url.password === "" ? url : undefined;
}

/** Repeated ones stay apart here, and `Headers` joins them as it should. */
function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  }
  return headers;
}
