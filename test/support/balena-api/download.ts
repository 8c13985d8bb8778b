// The download endpoint: refusal, redirect, conditional and ranged answers, in the order in which a server decides them.
import type { OutgoingHttpHeaders } from "node:http";
import { type BodyContext, planBody, sendBody } from "./body.ts";
import { type Catalog, findDeviceType } from "./catalog.ts";
import { askedRange, isNotModified, isRangeCurrent } from "./conditions.ts";
import type { Counters } from "./counters.ts";
import { answer, type Exchange, retryAfterHeader } from "./exchange.ts";
import { type DownloadFaults, strikes } from "./faults.ts";
import type { ImageMaker } from "./image-clock.ts";
import { pause } from "./pause.ts";
import { downloadRefusal, wordsOf } from "./refusals.ts";
import { type Representation, representationOf } from "./representation.ts";

/** What downloads need to know. */
export interface DownloadContext extends BodyContext, ImageMaker {
  readonly counters: Counters;
  readonly catalog: Catalog;
  /** Origin of the files listener. */
  readonly filesUrl: () => string;
  /** `false`: an API of before there were release assets. */
  readonly hasAssets: boolean;
}

/** Path that redirects lead to, on either listener; it wants no authorization. */
export const filesPath = "/files/download";

/** Answers `/download`. */
export async function answerDownload(exchange: Exchange, context: DownloadContext): Promise<void> {
  const { faults, catalog } = context;
  const query = exchange.url.searchParams;
  await pause(faults.latencyMs);
  const { refuse } = faults;
  const isOfType = refuse?.fileTypes?.includes(query.get("fileType") ?? "") ?? true;
  const refusable = isOfType && (refuse?.methods?.includes(exchange.request.method ?? "") ?? true);
  if (refusable && strikes(refuse))
    return answer(exchange, refuse.status, refuse.body ?? wordsOf(refuse.status), retryAfterHeader(refuse));
  const refusal = downloadRefusal(query, catalog, exchange.access === "authorized");
  if (refusal !== undefined) return answer(exchange, refusal.status, refusal.body);
  if (strikes(faults.redirect)) return redirect(exchange, faults.redirect.to, context);
  return answerFile(exchange, context);
}

/** Answers with the file itself. */
export async function answerFile(exchange: Exchange, context: DownloadContext): Promise<void> {
  const { request, url } = exchange;
  const { version = "", deviceType = "", ...variant } = Object.fromEntries(url.searchParams);
  const slug = findDeviceType(context.catalog, deviceType, true)?.slug ?? deviceType;
  const chosen = await representationOf({ slug, version, variant }, request.headers, context.faults, context);
  if (isNotModified(request.headers, chosen)) {
    context.counters.notModified++;
    return answer(exchange, 304, undefined, headersOf(chosen, context.faults));
  }
  const range = rangeOf(exchange, chosen, context.faults);
  if (range === "unsatisfiable")
    return answer(exchange, 416, "", { "content-range": `bytes */${chosen.file.bytes}` });
  return answerBody(exchange, chosen, range, context);
}

function redirect(
  exchange: Exchange,
  to: "other-origin" | "same-origin" | "loop",
  context: DownloadContext,
): void {
  const { pathname, search } = exchange.url;
  const base = to === "other-origin" ? context.filesUrl() : "";
  answer(exchange, 302, "", { location: base + (to === "loop" ? pathname : filesPath) + search });
}

interface ServedRange {
  /** Bytes that are sent, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** First byte that Content-Range claims; `undefined`: a 200. */
  readonly claimedStart: number | undefined;
}

function rangeOf(
  exchange: Exchange,
  chosen: Representation,
  faults: DownloadFaults,
): ServedRange | "unsatisfiable" {
  const { bytes } = chosen.file;
  const whole = { start: 0, end: bytes, claimedStart: undefined };
  const { headers, method } = exchange.request;
  if (method !== "GET" || chosen.coded || !isRangeCurrent(headers, chosen)) return whole;
  const asked = askedRange(headers.range, bytes);
  if (asked === undefined || faults.ranges === "off" || faults.ranges === "ignored") return whole;
  if (asked === "unsatisfiable" || faults.ranges === "unsatisfiable") return "unsatisfiable";
  if (faults.ranges === "on") return { ...asked, claimedStart: asked.start };
  const shifted = shift(asked, bytes);
  return { ...shifted, claimedStart: faults.ranges === "lying" ? asked.start : shifted.start };
}

// As long as what was asked for where that fits, but from elsewhere.
function shift({ start, end }: { start: number; end: number }, bytes: number) {
  const by = start > 0 ? -Math.ceil(start / 2) : Math.min(1024, bytes - 1);
  return { start: start + by, end: Math.min(bytes, end + by) };
}

async function answerBody(
  exchange: Exchange,
  chosen: Representation,
  range: ServedRange,
  context: DownloadContext,
): Promise<void> {
  const { faults, counters } = context;
  const { request, response, log } = exchange;
  const bytes = range.end - range.start + faults.extraBytes;
  const hasBody = request.method === "GET";
  const plan = planBody(
    bytes,
    chosen.coded,
    hasBody ? faults : { ...faults, lose: undefined, endShort: undefined, stall: undefined },
  );
  log.status = range.claimedStart === undefined ? 200 : 206;
  response.writeHead(log.status, {
    ...headersOf(chosen, faults),
    ...(plan.announcedBytes !== undefined && { "content-length": plan.announcedBytes }),
    ...(range.claimedStart !== undefined && {
      "content-range": contentRange(range, range.claimedStart, chosen.file.bytes),
    }),
  });
  if (!hasBody) return void response.end();
  counters.transfers++;
  await sendBody(response, { file: chosen.file, ...range }, plan, context);
}

function contentRange({ start, end }: ServedRange, claimedStart: number, total: number): string {
  return `bytes ${claimedStart}-${claimedStart + end - start - 1}/${total}`;
}

function headersOf(chosen: Representation, faults: DownloadFaults): OutgoingHttpHeaders {
  return {
    "content-type": chosen.mime,
    ...(chosen.etag !== undefined && { etag: chosen.etag }),
    ...(chosen.lastModified !== undefined && { "last-modified": chosen.lastModified.toUTCString() }),
    ...(chosen.coded && { "content-encoding": "gzip", "x-transfer-length": chosen.file.bytes }),
    ...(!chosen.coded && faults.ranges !== "off" && { "accept-ranges": "bytes" }),
    vary: "accept-encoding",
  };
}
