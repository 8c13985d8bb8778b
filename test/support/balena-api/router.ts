// Leads each request to its endpoint: logs it, checks its credentials, applies the metadata faults.

import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { answerAsset, assetRows, assetsPath } from "./assets.ts";
import { checkAuthorization } from "./auth.ts";
import { isNotModified } from "./conditions.ts";
import type { Counters, LoggedRequest } from "./counters.ts";
import { answerDownload, answerFile, type DownloadContext, filesPath } from "./download.ts";
import { answer, type Exchange, retryAfterHeader } from "./exchange.ts";
import { type DownloadFaults, strikes } from "./faults.ts";
import type { DeviceTypeFixture, ReleaseFixture } from "./fixtures.ts";
import { answerMetadata } from "./metadata.ts";
import { pause } from "./pause.ts";
import { wordsOf } from "./refusals.ts";

/** Head and tail of a `.gz` file, which the size endpoint does not count. */
const gzipFrameBytes = 20;

/** What all endpoints together need to know. */
export interface ApiContext extends DownloadContext {
  readonly token: string;
}

/** Answers a request of either listener. */
export async function answerRequest(
  listener: LoggedRequest["listener"],
  request: IncomingMessage,
  response: ServerResponse,
  context: ApiContext,
): Promise<void> {
  const exchange = open(listener, request, response, context);
  const { pathname } = exchange.url;
  const mayPost = listener === "api" && pathname === "/download-config";
  if (request.method !== "GET" && request.method !== "HEAD" && !(mayPost && request.method === "POST"))
    return answer(exchange, 405, "Method Not Allowed");
  if (pathname === filesPath) return answerFile(exchange, context);
  if (listener === "files" && pathname.startsWith(assetsPath)) return answerAsset(exchange, context);
  if (listener === "files") return answer(exchange, 404, "Not Found");
  return pathname === "/download" ? answerDownload(exchange, context) : answerCatalog(exchange, context);
}

function open(
  listener: LoggedRequest["listener"],
  request: IncomingMessage,
  response: ServerResponse,
  context: ApiContext,
): Exchange {
  const { counters, faults, token } = context;
  const url = new URL(request.url ?? "/", "http://loopback");
  const log = {
    listener,
    method: request.method ?? "",
    url: request.url ?? "",
    headers: request.headers,
    status: 0,
  };
  count(log, url.pathname, response, counters);
  if (url.pathname === "/download" || url.pathname === filesPath) setDate(response, faults.date);
  return { request, response, url, log, access: checkAuthorization(request.headers, token) };
}

function count(log: LoggedRequest, pathname: string, response: ServerResponse, counters: Counters): void {
  counters.requests++;
  counters.requestLog.push(log);
  const isAsset = pathname.startsWith(assetsPath);
  if (pathname === "/download") counters.downloads++;
  else if (isAsset) counters.assetRequests++;
  else if (pathname !== filesPath) counters.metadataRequests++;
  if (pathname !== "/download" && pathname !== filesPath && !isAsset) return;
  counters.openConnections++;
  response.once("close", () => counters.openConnections--);
}

function setDate(response: ServerResponse, date: DownloadFaults["date"]): void {
  if (date === "none") response.sendDate = false;
  else if (date !== undefined) response.setHeader("date", date.toUTCString());
}

async function answerCatalog(exchange: Exchange, api: ApiContext): Promise<void> {
  const { catalog, faults, token, imageOf } = api;
  const { refuse, lose, latencyMs } = faults.metadata;
  await pause(latencyMs);
  if (strikes(lose)) return void exchange.request.socket.destroy();
  if (strikes(refuse))
    return answer(exchange, refuse.status, refuse.body ?? wordsOf(refuse.status), retryAfterHeader(refuse));
  const authorized = exchange.access === "authorized";
  const downloadBytes = async (slug: string, version: string) =>
    faults.downloadSize ??
    (await imageOf({ slug, version, variant: {}, contentRevision: 0 }).gzBytes()) - gzipFrameBytes;
  const assets = (type: DeviceTypeFixture, release: ReleaseFixture) => assetRows(type, release, api);
  const context = { catalog, authorized, token, downloadBytes, assetRows: assets };
  const { status, body, isTagged } = await answerMetadata(exchange.url, exchange.request, context);
  if (!isTagged) return answer(exchange, status, body);
  const etag = `W/"${createHash("sha256").update(JSON.stringify(body)).digest("base64url")}"`;
  const { headers } = exchange.request;
  // As Express has it: who says no-cache gets it all.
  const isKnown = headers["cache-control"] !== "no-cache" && isNotModified(headers, { etag });
  answer(exchange, isKnown ? 304 : status, isKnown ? undefined : body, { etag });
}
