/** Sends one request for an image's file. It follows redirects by itself, turns statuses into errors, and reads the response's headers. */

import { isHeaderValue } from "../checks.ts";
import { type ImageManagerError, UnauthorizedError, UpstreamError, VersionNotFoundError } from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import type { Validators } from "../freshness/validators.ts";
import type { ImageFile, ResolvedImage } from "../types.ts";
import { unlessAborted } from "../waiting.ts";
import { holdBody, type UpstreamBody } from "./body.ts";
import { secretsOf } from "./request-secrets.ts";
import { quoting, wordsOf } from "./server-words.ts";

/** What is asked for beyond the file itself. */
export interface RequestConditions {
  /** Answer 304 if it is still this one. */
  readonly unless?: Validators | undefined;
  /** From this byte on, if it still has this strong ETag. */
  readonly resume?:
    | {
        readonly fromByte: number;
        readonly etag: string;
        /** Refuse it (412) if it is another one by now, instead of sending that one whole. */
        readonly isMatch?: boolean;
      }
    | undefined;
  /** Only these bytes (`toByte` exclusive), of whatever file it is now: for who can tell right bytes from wrong ones. */
  readonly span?: { readonly fromByte: number; readonly toByte: number } | undefined;
  /** HEAD: what the answer would say of itself, without a body. */
  readonly isHeadersOnly?: boolean | undefined;
}

/** A response to read from, or word that nothing changed. */
export type FileResponse = { readonly kind: "not-modified" } | FileBody;

/** A body, and what its headers say of it. */
export interface FileBody {
  readonly kind: "body";
  readonly body: UpstreamBody;
  readonly validators: Validators;
  readonly mime: string | undefined;
  /** Bytes of the whole file, where the framing proves them. */
  readonly fileBytes: number | undefined;
  /** The first byte of the body; `undefined` for a 206 that does not say it well. */
  readonly fromByte: number | undefined;
  /** A gzip content coding, undone by `fetch` or not: it hides lengths and truncation, nothing about sizes can be believed. */
  readonly isCoded: boolean;
}

const maxRedirects = 10;

/** Sends it. Rejects with the typed error of the status; whatever `fetch` throws becomes `UPSTREAM`. */
export async function requestFile(
  fetchFn: typeof fetch,
  image: ResolvedImage,
  request: ImageFile,
  conditions: RequestConditions,
  signal: AbortSignal,
): Promise<FileResponse> {
  const headers = headersOf(request);
  headers.set("accept-encoding", "identity");
  addConditions(headers, conditions);
  const method = conditions.isHeadersOnly ? "HEAD" : "GET";
  const secrets = secretsOf(request);
  const outgoing: Outgoing = { method, headers, secrets, signal };
  const response = await followRedirects(fetchFn, parseUrl(request.url), outgoing);
  if (response.status === 304 && conditions.unless) {
    await discard(response);
    return { kind: "not-modified" };
  }
  if (response.status !== 200 && !(response.status === 206 && (conditions.resume || conditions.span))) {
    throw errorOfStatus(image, response, await wordsOf(response, secrets));
  }
  if (!conditions.isHeadersOnly)
    await assertDecodable(response, image.fileType, image.fileType === ".gz" && !request.gzip);
  const file = describeBody(response, image.fileType, conditions.span !== undefined, signal);
  if (file.fileBytes !== 0 || conditions.isHeadersOnly) return file;
  await discard(file);
  throw new UpstreamError("The upstream sent an empty file");
}

/** The error of the platform would quote the value, and that may be a token. */
function headersOf({ headers }: ImageFile): Headers {
  try {
    return new Headers(headers);
  } catch {
    throw new UpstreamError("The source set a header that can't be sent (is there a line break in it?)", {
      unavailable: false,
    });
  }
}

function addConditions(headers: Headers, { unless, resume, span }: RequestConditions): void {
  if (unless?.etag) headers.set("if-none-match", unless.etag);
  if (unless?.lastModified) headers.set("if-modified-since", unless.lastModified);
  if (span) headers.set("range", `bytes=${span.fromByte}-${span.toByte - 1}`);
  if (!resume) return;
  headers.set("range", `bytes=${resume.fromByte}-`);
  headers.set(resume.isMatch ? "if-match" : "if-range", resume.etag);
}

/** A request but for its address. */
interface Outgoing {
  readonly method: "GET" | "HEAD";
  readonly headers: Headers;
  /** What no error may tell of it. */
  readonly secrets: readonly string[];
  readonly signal: AbortSignal;
}

/** By hand, because some runtimes send Authorization on to another origin (workerd did). */
async function followRedirects(fetchFn: typeof fetch, start: URL, outgoing: Outgoing): Promise<Response> {
  const { headers } = outgoing;
  let url = start;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const response = await send(fetchFn, url, outgoing);
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await discard(response);
    const next = parseUrl(location, url);
    if (url.protocol === "https:" && next.protocol === "http:") throw downgrade(url);
    if (next.origin !== url.origin) {
      headers.delete("authorization");
      headers.delete("cookie");
    }
    url = next;
  }
  throw new UpstreamError(`${start.origin} redirected more than ${maxRedirects} times`, {
    unavailable: false,
  });
}

/** Whoever sits on the line could put any image in place of the one that was asked for. */
function downgrade({ origin }: URL): UpstreamError {
  return new UpstreamError(`${origin} redirected from https to http, which does not protect the image`, {
    unavailable: false,
  });
}

async function send(
  fetchFn: typeof fetch,
  url: URL,
  { method, headers, secrets, signal }: Outgoing,
): Promise<Response> {
  try {
    // Not every `fetch` that a caller brings hears its signal.
    return await unlessAborted(signal, async () => {
      const response = await fetchFn(url, { method, headers, signal, redirect: "manual" });
      if (signal.aborted) void discard(response); // nobody waits for it any more
      return response;
    });
  } catch (failure) {
    signal.throwIfAborted();
    // Only the origin: the URL of a configured image carries a Wi-Fi key.
    const cause = foreignError(failure, secrets);
    throw new UpstreamError(`${url.origin} could not be reached`, {}, { cause });
  }
}

function parseUrl(url: string | URL, base?: URL): URL {
  const parsed = URL.parse(url, base);
  const isHttp = parsed?.protocol === "http:" || parsed?.protocol === "https:";
  // Node's `fetch` refuses credentials in a URL, with an error that quotes them.
  if (isHttp && parsed.username === "" && parsed.password === "") return parsed;
  throw new UpstreamError(
    "The upstream's download address is not an http(s) URL, or it contains credentials",
    { unavailable: false },
  );
}

/** What was done to the file on the way, though none of it was asked for. */
function codingsOf({ headers }: Response): string[] {
  const codings = (headers.get("content-encoding") ?? "").toLowerCase().split(",");
  // S3 servers may leave the name of an upload's framing there, which is gone by now.
  return codings
    .map((coding) => coding.trim())
    .filter((coding) => !["", "identity", "aws-chunked"].includes(coding));
}

/**
 * One gzip coding can be told by its first bytes where `fetch` has not undone it: Deno's does so only if it asked for codings itself.
 * Of others nobody can tell: Bun undoes one of several or none, Node 22 no zstd. Nor of any coding of a `.gz` that is wanted as it is.
 */
async function assertDecodable(
  response: Response,
  fileType: ResolvedImage["fileType"],
  isWantedPacked: boolean,
): Promise<void> {
  const codings = codingsOf(response);
  const isGzip = codings.length === 1 && /^(x-)?gzip$/.test(codings[0]!);
  if (codings.length === 0 || (isGzip && !isWantedPacked)) return;
  await discard(response);
  const message = `The upstream sent the ${fileType} file with the content coding "${codings.join(", ").slice(0, 100)}", though it was asked for none`;
  throw new UpstreamError(message);
}

function describeBody(
  response: Response,
  fileType: ResolvedImage["fileType"],
  mayEndEarly: boolean,
  signal: AbortSignal,
): FileBody {
  const header = (name: string) => response.headers.get(name) ?? undefined;
  const kept = (name: string) => [header(name)].find(isHeaderValue); // it is sent again with later requests
  const isCoded = codingsOf(response).length > 0;
  const span = contentSpanOf(response, isCoded, mayEndEarly);
  return {
    kind: "body",
    body: holdBody(response, span.bodyBytes, signal),
    mime: header("content-type"),
    isCoded,
    fileBytes: span.fileBytes,
    fromByte: span.fromByte,
    validators: {
      etag: kept("etag"),
      lastModified: kept("last-modified"),
      date: kept("date"),
      size: span.fileBytes,
      fileType,
    },
  };
}

function contentSpanOf(
  response: Response,
  isCoded: boolean,
  mayEndEarly: boolean,
): Pick<FileBody, "fileBytes" | "fromByte"> & { readonly bodyBytes: number | undefined } {
  if (response.status === 206) {
    const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
    const [from, last, total] = (match ?? []).slice(1).map(Number);
    // One that stops before the end is not the rest that was asked for.
    const isShort = last! + 1 !== total && !mayEndEarly;
    if (isCoded || from === undefined || isShort)
      return { fileBytes: undefined, fromByte: undefined, bodyBytes: undefined };
    return { fileBytes: total, fromByte: from, bodyBytes: last! + 1 - from };
  }
  const length = response.headers.get("content-length");
  const isProof = !isCoded && length !== null && /^\d+$/.test(length);
  const fileBytes = isProof ? Number(length) : undefined;
  return { fileBytes, fromByte: 0, bodyBytes: fileBytes };
}

/** `words`: what the upstream says of it. */
function errorOfStatus(
  image: ResolvedImage,
  response: Response,
  words: string | undefined,
): ImageManagerError {
  const { status } = response;
  const what = described(image);
  const said = quoting(words);
  if (status === 401 || status === 403) {
    return new UnauthorizedError(
      `The upstream refused to deliver ${what} (HTTP ${status}), check the token${said}`,
      status,
    );
  }
  if (status === 404 || status === 410) {
    const { deviceType, version } = image;
    const message = `The upstream does not deliver ${what} (HTTP ${status})${said}`;
    return new VersionNotFoundError(deviceType, version, undefined, { message });
  }
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), response.headers.get("date"));
  return new UpstreamError(`The upstream answered ${what} with HTTP ${status}${said}`, {
    status,
    retryAfterMs,
  });
}

/** With what can be refused of it, though the version is there: a fleet, an image type, a file type. */
function described({ deviceType, version, variant }: ResolvedImage): string {
  const { imageType, appId, fileType } = variant;
  const traits = [
    ...(fileType === undefined ? [] : [fileType]),
    ...(imageType === undefined ? [] : [`imageType "${imageType}" (leave it out if it is the default one)`]),
    ...(appId === undefined ? [] : [`the fleet of "appId"`]),
  ];
  return [`${deviceType} ${version}`, ...traits].join(", ");
}

/** Seconds or a date (RFC 9110, 10.2.3); a date counts from the response's own clock. */
export function parseRetryAfter(value: string | null, dateHeader: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const delayMs = Date.parse(value) - (dateHeader === null ? Date.now() : Date.parse(dateHeader));
  return Number.isNaN(delayMs) ? undefined : Math.max(0, delayMs);
}

/** Frees the connection. What the cancel itself meets does not matter. */
export async function discard(response: {
  readonly body: ReadableStream | UpstreamBody | null;
}): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}
