/** What the response to a request for an image's file carries, as far as its status and headers tell. */

import { isHeaderValue } from "../checks.ts";
import { UpstreamError } from "../errors.ts";
import type { Validators } from "../freshness/validators.ts";
import type { ResolvedImage } from "../types.ts";
import { holdBody, type UpstreamBody } from "./body.ts";

/** A response to read from, or word that nothing changed. */
export type FileResponse = { readonly kind: "not-modified" } | FileBody;

/** A body, and what its headers say of it. */
export interface FileBody {
  readonly kind: "body";
  readonly body: UpstreamBody;
  readonly validators: Validators;
  readonly mime: string | undefined;
  /** Bytes of the whole file, if the framing proves them. */
  readonly fileBytes: number | undefined;
  /** The first byte of the body; `undefined` for a 206 that does not say it well. */
  readonly fromByte: number | undefined;
  /** The byte after the body's last one, where the framing says it. */
  readonly toByte?: number | undefined;
  /** A gzip content coding, undone by `fetch` or not: it hides lengths and truncation, nothing about sizes can be believed. */
  readonly isCoded: boolean;
}

/** Describes the body that a response has. */
export function describeBody(
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
    toByte: span.bodyBytes === undefined ? undefined : span.fromByte! + span.bodyBytes,
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

/** The codings that were put on the file on the way, although none was asked for. */
function codingsOf({ headers }: Response): string[] {
  const codings = (headers.get("content-encoding") ?? "").toLowerCase().split(",");
  // S3 servers may leave the name of an upload's framing there, which is gone by now.
  return codings
    .map((coding) => coding.trim())
    .filter((coding) => !["", "identity", "aws-chunked"].includes(coding));
}

/**
 * If `fetch` has not undone a gzip coding, its first bytes show that. Deno's `fetch` undoes it only if it asked for codings itself.
 * Other codings can't be told: Bun undoes one of several or none, and Node 22 does not know zstd. No coding can be told of a `.gz` that is
 * wanted as it is.
 */
export async function assertDecodable(
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

/** Frees the connection. What the cancel itself meets does not matter. */
export async function discard(response: {
  readonly body: ReadableStream | UpstreamBody | null;
}): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}
