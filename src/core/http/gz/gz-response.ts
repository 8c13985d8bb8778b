/** GET and HEAD of `/images/:deviceType/:version/gz`: the image as a `.gz` file that the store has all but ready. */
import type { Span } from "../../span.ts";
import { openBody } from "../body.ts";
import { inspected } from "../companion-response.ts";
import { isRangeCurrent, judgePreconditions } from "../conditions.ts";
import { cacheControl, fileName } from "../headers.ts";
import type { HandlerContext } from "../options.ts";
import { busy, HttpProblem } from "../problem.ts";
import { parseRange, resolveRange } from "../range.ts";
import type { ImageRoute } from "../route.ts";
import type { TransferLimit } from "../transfer-limit.ts";
import { type GzFile, gzFileOf } from "./gz-file.ts";

/** What is answered. */
export interface GzRequest {
  readonly context: HandlerContext;
  readonly request: Request;
  /** Of an exact version that is cached. */
  readonly route: ImageRoute;
  readonly isPrivate: boolean;
  readonly limit: TransferLimit;
}

/** Answers from the store alone. */
export async function answerGz(asked: GzRequest): Promise<Response> {
  const { context, request, route } = asked;
  await inspected(context, { ...route, version: route.wanted });
  const image = await context.internals?.storedImage(route.deviceType, route.wanted, route.variant);
  const file = image && isRaw(route) ? await gzFileOf(image) : undefined;
  if (!file) throw new HttpProblem(404, notReady);
  const headers = headersOf(file, asked);
  const verdict = judgePreconditions(request.headers, file);
  if (verdict === "failed") throw new HttpProblem(412, "The file is not the one that was asked for.");
  if (verdict === "not-modified") {
    const { etag, "cache-control": control } = headers;
    return new Response(null, { status: 304, headers: { etag: etag!, "cache-control": control! } });
  }
  const span = spanOf(request.headers, file);
  const { start, end } = span ?? { start: 0, end: file.size };
  const ofBody = {
    "content-length": String(end - start),
    ...(span && { "content-range": `bytes ${start}-${end - 1}/${file.size}` }),
  };
  const body = request.method === "HEAD" ? null : await bodyOf(asked, file, { start, end });
  return new Response(body, { status: span ? 206 : 200, headers: { ...headers, ...ofBody } });
}

const notReady =
  "The store does not have this image in such a form. It does if its manager has gzipEncoding of balena-image-manager/node.";

/** What the upstream packs is not packed again. */
const isRaw = ({ variant: { fileType } }: ImageRoute) => fileType === undefined || fileType === ".img";

function headersOf({ etag }: GzFile, { route, isPrivate }: GzRequest): Record<string, string> {
  const { deviceType, wanted: version, variant } = route;
  return {
    etag,
    "cache-control": cacheControl(isPrivate),
    "accept-ranges": "bytes",
    "content-type": "application/gzip",
    "content-disposition": `attachment; filename="${fileName({ deviceType, version }, variant)}.gz"`,
    "x-content-type-options": "nosniff",
  };
}

/** RFC 9110, section 14.2: a range of a HEAD means nothing. */
function spanOf(headers: Headers, file: GzFile): Span | undefined {
  const range = isRangeCurrent(headers, file) ? parseRange(headers.get("range")) : undefined;
  const span = range && resolveRange(range, file.size);
  if (span === "unsatisfiable")
    throw new HttpProblem(416, "The file has no such bytes.", { "content-range": `bytes */${file.size}` });
  return span === "whole" ? undefined : span;
}

/** The first piece is read before the answer begins: a store that fails, or has changed, is answered with a status. */
async function bodyOf({ context, request, limit }: GzRequest, file: GzFile, span: Span) {
  const release = limit();
  if (!release) throw busy();
  try {
    const bytes = span.end - span.start;
    const signal = AbortSignal.any([request.signal, context.internals!.closing]);
    return await openBody(streamOf(file.read(span), signal), bytes, ({ failure }) => {
      release();
      if (failure !== undefined && !request.signal.aborted) context.report(failure, request);
    });
  } catch (failure) {
    release();
    throw failure;
  }
}

/** An abort ends it even if nobody reads it any more. */
function streamOf(
  pieces: AsyncGenerator<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const leave = () => void pieces.return(undefined).catch(() => undefined);
  return new ReadableStream(
    {
      start(controller) {
        signal.addEventListener(
          "abort",
          () => {
            leave();
            controller.error(signal.reason);
          },
          { once: true },
        );
      },
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (signal.aborted) return;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
}
