/** Sends one request for an image's file, and follows redirects by itself. */

import { UpstreamError } from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import type { Validators } from "../freshness/validators.ts";
import type { ImageFile, ResolvedImage } from "../types.ts";
import { unlessAborted } from "../waiting.ts";
import { assertDecodable, describeBody, discard, type FileResponse } from "./file-response.ts";
import { errorOfStatus } from "./refusal.ts";
import { secretsOf } from "./request-secrets.ts";
import { wordsOf } from "./server-words.ts";

/** What is asked for beyond the file itself. */
export interface RequestConditions {
  /** Answer 304 if it is still this one. */
  readonly unless?: Validators | undefined;
  /** From this byte on, if it still has this strong ETag. */
  readonly resume?:
    | {
        readonly fromByte: number;
        /** No further than this (exclusive). Default: to the end. */
        readonly toByte?: number | undefined;
        readonly etag: string;
        /** Refuse it (412) if it is another one by now, instead of sending that one whole. */
        readonly isMatch?: boolean;
      }
    | undefined;
  /** Only these bytes (`toByte` exclusive), of the file that is there now: for a caller that can tell right bytes from wrong ones. */
  readonly span?:
    | {
        readonly fromByte: number;
        readonly toByte: number;
        /** Refuse it (412) if it is another one than this. */
        readonly ifMatch?: string | undefined;
      }
    | undefined;
  /** HEAD: what the answer would say of itself, without a body. */
  readonly isHeadersOnly?: boolean | undefined;
}

/**
 * Opens a file under some conditions. If only the rest was asked for, and the upstream says that another file (412) or a shorter one (416)
 * is there by now, it is asked for whole.
 */
export async function openRestOrWhole<T>(
  conditions: RequestConditions,
  open: (conditions: RequestConditions) => Promise<T>,
): Promise<T> {
  try {
    return await open(conditions);
  } catch (failure) {
    const { status } = failure as { status?: number };
    if (conditions.resume && (status === 412 || status === 416)) return open({});
    throw failure;
  }
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
  const file = describeBody(
    response,
    image.fileType,
    (conditions.span ?? conditions.resume)?.toByte !== undefined,
    signal,
  );
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
  if (span?.ifMatch) headers.set("if-match", span.ifMatch);
  if (!resume) return;
  headers.set("range", `bytes=${resume.fromByte}-${resume.toByte === undefined ? "" : resume.toByte - 1}`);
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

/** Anyone on the line could replace the image with another one. */
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
