// Serves release assets as balena's object store does: presigned URLs, ranges, strong ETags, errors in XML.
import { createHash } from "node:crypto";
import { type BodyContext, planBody, sendBody } from "./body.ts";
import type { Catalog } from "./catalog.ts";
import { type AskedRange, askedRange, isNotModified } from "./conditions.ts";
import type { Counters } from "./counters.ts";
import { type Exchange, retryAfterHeader } from "./exchange.ts";
import { type DownloadFaults, defaultLastModified, strikes } from "./faults.ts";
import type { DeviceTypeFixture, ReleaseFixture } from "./fixtures.ts";
import type { ImageMaker } from "./image-clock.ts";
import type { PackedFile } from "./packed-files.ts";
import { pause } from "./pause.ts";
import { signatureProblem, signedQuery } from "./presigned.ts";
import { assetsOf, type ReleaseAsset } from "./release-assets.ts";

/** What assets need to know. */
export interface AssetContext extends BodyContext, Pick<ImageMaker, "imageOf"> {
  readonly counters: Counters;
  readonly catalog: Catalog;
  /** Origin of the files listener. */
  readonly filesUrl: () => string;
  /** `false`: an API of before there were any. */
  readonly hasAssets: boolean;
}

/** Path of all assets, on the files listener. */
export const assetsPath = "/assets/";

/** A release's assets as rows of `/v7/release_asset`: each link is good for a while. */
export async function assetRows(
  type: DeviceTypeFixture,
  release: ReleaseFixture,
  { imageOf, filesUrl, faults, catalog, hasAssets }: AssetContext,
): Promise<Record<string, unknown>[]> {
  if (!hasAssets) return [];
  const assets = await assetsOf(type, release, imageOf);
  return assets.map(({ key, contentType, file }) => {
    const path = `${assetsPath}${catalog.releases.indexOf(release)}/${key}`;
    const href = `${filesUrl()}${path}?${signedQuery(path, faults.assets.expiresInMs)}`;
    const filename = key.split("/").at(-1);
    return { asset_key: key, asset: { filename, href, content_type: contentType, size: file.bytes } };
  });
}

/** Answers a request of an asset. */
export async function answerAsset(exchange: Exchange, context: AssetContext): Promise<void> {
  const { assets } = context.faults;
  const { request, url } = exchange;
  await pause(assets.latencyMs);
  if (strikes(assets.refuse))
    return refuse(exchange, assets.refuse.status, "SlowDown", retryAfterHeader(assets.refuse));
  if (request.headers.authorization !== undefined) return refuse(exchange, 400, "InvalidArgument");
  const problem = signatureProblem(request.method ?? "", url);
  if (problem !== undefined)
    return refuse(exchange, 403, problem === "RequestExpired" ? "AccessDenied" : problem);
  const asset = await find(url.pathname, context);
  return asset === undefined ? refuse(exchange, 404, "NoSuchKey") : answerContent(exchange, asset, context);
}

interface Found extends ReleaseAsset {
  readonly etag: string;
}

async function find(
  pathname: string,
  { catalog, imageOf, faults }: AssetContext,
): Promise<Found | undefined> {
  const [, index, key] = /^\/assets\/(\d+)\/(.+)$/.exec(pathname) ?? [];
  const release = catalog.releases[Number(index)];
  const type = catalog.deviceTypes.find(({ slug }) => slug === release?.deviceType);
  if (release === undefined || type === undefined) return undefined;
  const revision = strikes(faults.assets.change) ? 1 : 0;
  const asset = (await assetsOf(type, release, imageOf, revision)).find((one) => one.key === key);
  const facts = JSON.stringify([release, key, revision, asset?.file.bytes]);
  return asset && { ...asset, etag: `"${createHash("md5").update(facts).digest("hex")}"` };
}

/** If-Range is ignored, as Ceph does: who sends it gets the range of another file. If-Match is honoured. */
async function answerContent(exchange: Exchange, asset: Found, context: AssetContext): Promise<void> {
  const { request, response, log } = exchange;
  const { etag, file, contentType } = asset;
  const match = request.headers["if-match"];
  if (match !== undefined && match !== "*" && match !== etag)
    return refuse(exchange, 412, "PreconditionFailed");
  const facts = { etag, "last-modified": defaultLastModified.toUTCString() };
  if (isNotModified(request.headers, { etag, lastModified: defaultLastModified })) {
    log.status = 304;
    return void response.writeHead(304, facts).end();
  }
  const range =
    context.faults.assets.ranges === "on" ? askedRange(request.headers.range, file.bytes) : undefined;
  if (range === "unsatisfiable") return refuse(exchange, 416, "InvalidRange");
  const faults = bodyFaults(context.faults);
  const { start, end } = range ?? { start: 0, end: file.bytes };
  const plan = planBody(end - start, false, faults);
  log.status = range === undefined ? 200 : 206;
  response.writeHead(log.status, {
    ...facts,
    "accept-ranges": "bytes",
    "content-type": contentType,
    ...(plan.announcedBytes !== undefined && { "content-length": plan.announcedBytes }),
    ...contentRange(range, file),
  });
  await sendBody(response, { file, start, end }, plan, { ...context, faults, counters: tallyOf(context) });
}

function contentRange(range: Exclude<AskedRange, "unsatisfiable">, { bytes }: PackedFile) {
  return range && { "content-range": `bytes ${range.start}-${range.end - 1}/${bytes}` };
}

/** Their own incidents, and the pace of all downloads. */
function bodyFaults(faults: DownloadFaults): DownloadFaults {
  const { lose, endShort, stall } = faults.assets;
  return { ...faults, lose, endShort, stall, contentLength: "exact", extraBytes: 0 };
}

function tallyOf({ counters }: AssetContext): { bytesSent: number } {
  return {
    get bytesSent() {
      return counters.assetBytes;
    },
    set bytesSent(bytes) {
      counters.assetBytes = bytes;
    },
  };
}

const messages: Readonly<Record<string, string>> = {
  AccessDenied: "Request has expired",
  InvalidArgument: "Only one auth mechanism allowed",
  InvalidRange: "The requested range is not satisfiable",
  NoSuchKey: "The specified key does not exist.",
  PreconditionFailed: "At least one of the preconditions you specified did not hold",
  SignatureDoesNotMatch: "The request signature we calculated does not match the signature you provided.",
  SlowDown: "Please reduce your request rate.",
};

function refuse({ request, response, log }: Exchange, status: number, code: string, headers = {}): void {
  log.status = status;
  response.writeHead(status, { "content-type": "application/xml", ...headers });
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${messages[code]}</Message></Error>`;
  response.end(request.method === "HEAD" ? undefined : body);
}
