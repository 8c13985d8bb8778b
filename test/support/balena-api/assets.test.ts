// Release assets of the loopback API, as a client without a library sees them: one query, then presigned links.
import { crc32, inflateRawSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { fixtureSlugs, startBalenaApi } from "./index.ts";
import type { PartEntry } from "./parts.ts";
import { type RawRequestOptions, type RawResponse, rawRequest } from "./raw-request.ts";

const api = await startBalenaApi({ imageBytes: 1024 * 1024 });
afterAll(() => api.close());
beforeEach(() => {
  api.faults.reset();
  api.counters.reset();
});

interface Asset {
  readonly filename: string;
  readonly href: string;
  readonly content_type: string;
  readonly size: number;
}

/** The assets of a release by key; `undefined` where there is no such release. */
async function assetsOf(
  slug: string,
  version: string,
  headers = {},
): Promise<Map<string, Asset> | undefined> {
  const ofType = `belongs_to__application/any(a:a/is_host eq true and a/is_for__device_type/any(dt:dt/slug eq '${slug}'))`;
  const filter = `raw_version eq '${encodeURIComponent(version)}' and status eq 'success' and ${ofType}`;
  const expand = "release_asset($select=asset_key,asset)";
  const url = `${api.url}/v7/release?$select=id,raw_version&$filter=${filter}&$expand=${expand}`;
  const { status, body } = await rawRequest(url.replaceAll(" ", "%20"), { headers });
  expect(status).toBe(200);
  const { d } = JSON.parse(String(body)) as { d: { release_asset: { asset_key: string; asset: Asset }[] }[] };
  expect(d.length).toBeLessThanOrEqual(1);
  return d[0] && new Map(d[0].release_asset.map(({ asset_key, asset }) => [asset_key, asset]));
}

const main = async () => (await assetsOf(fixtureSlugs.main, "6.1.0"))!;
const authorization = `Bearer ${api.token}`;
const codeOf = ({ headers, body }: RawResponse) => {
  expect(headers["content-type"]).toBe("application/xml");
  return /<Error><Code>(\w+)<\/Code>/.exec(String(body))?.[1];
};

describe("the assets of a release", () => {
  test("have balena's keys, and facts that are true", async () => {
    const assets = await main();
    expect([...assets.keys()]).toEqual([
      ...["VERSION", "VERSION_HOSTOS", "device-type.json", "image.json"],
      ...[0, 1, 2, 3, 4].map((place) => `compressed/part-${place}.deflate`),
    ]);
    for (const [key, asset] of assets) {
      const { body, headers } = await rawRequest(asset.href);
      expect(asset.filename).toBe(key.split("/").at(-1));
      expect(headers).toMatchObject({
        "content-type": asset.content_type,
        "content-length": String(asset.size),
      });
      expect(body).toHaveLength(asset.size);
    }
  });

  test("are the raw image, part after part, as image.json says", async () => {
    const assets = await main();
    const list = JSON.parse(String((await rawRequest(assets.get("image.json")!.href)).body));
    const { parts } = list["resin.img"] as { parts: PartEntry[] };
    expect(parts.map(({ partitionIndex }) => partitionIndex)).toEqual([
      undefined,
      "(1)",
      "(2)",
      "(3)",
      "(4)",
    ]);
    const pieces: Buffer[] = [];
    for (const { filename, crc, len, zLen } of parts) {
      const { body } = await rawRequest(assets.get(`compressed/${filename}`)!.href);
      expect(body).toHaveLength(zLen);
      expect(body.subarray(-4).toString("hex")).toBe("0000ffff");
      const raw = inflateRawSync(Buffer.concat([body, Buffer.from("0300", "hex")]));
      expect([crc32(raw), raw.length]).toEqual([crc, len]);
      pieces.push(raw);
    }
    expect(Buffer.concat(pieces).equals(api.image(fixtureSlugs.main, "6.1.0").bytes())).toBe(true);
  });

  test("are there for each image type that has a file of its own", async () => {
    const assets = (await assetsOf(fixtureSlugs.second, "6.4.0+rev1"))!;
    expect([...assets.keys()]).toEqual(
      expect.arrayContaining(["image.json", "image-raw.json", "compressed-raw/part-0.deflate"]),
    );
    expect(assets.has("image-flasher.json")).toBe(false);
  });

  test("are not there for old releases, archive types and unknown versions, and those of private ones for the account alone", async () => {
    expect((await assetsOf(fixtureSlugs.main, "2.88.4+rev1"))!.size).toBe(0);
    expect(await assetsOf(fixtureSlugs.main, "9.9.9")).toBeUndefined();
    expect(await assetsOf(fixtureSlugs.private, "6.1.1")).toBeUndefined();
    expect((await assetsOf(fixtureSlugs.private, "6.1.1", { authorization }))!.size).toBeGreaterThan(0);
    api.deviceTypes.push({ slug: "intel-edison", name: "Intel Edison", archive: true });
    api.releases.push({ deviceType: "intel-edison", version: "2.31.5" });
    expect((await assetsOf("intel-edison", "2.31.5"))!.size).toBe(0);
    api.deviceTypes.pop();
    api.releases.pop();
  });
});

describe("a presigned link", () => {
  const part = async () => (await main()).get("compressed/part-2.deflate")!;
  const get = async (headers: Record<string, string> = {}, options: RawRequestOptions = {}) =>
    rawRequest((await part()).href, { headers, ...options });

  test("is for GET alone", async () => {
    const { status, body } = await get({}, { method: "HEAD" });
    expect([status, body.length]).toEqual([403, 0]);
  });

  test("hands out ranges, with a strong ETag and a date; If-Range is ignored", async () => {
    const whole = await get();
    expect(whole.headers.etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect(Date.parse(whole.headers["last-modified"]!)).not.toBeNaN();
    for (const condition of [whole.headers.etag!, '"another"']) {
      const { status, headers, body } = await get({ range: "bytes=100-199", "if-range": condition });
      expect([status, headers["content-range"]]).toEqual([206, `bytes 100-199/${whole.body.length}`]);
      expect(body.equals(whole.body.subarray(100, 200))).toBe(true);
    }
    const beyond = await get({ range: `bytes=${whole.body.length}-` });
    expect([beyond.status, codeOf(beyond)]).toEqual([416, "InvalidRange"]);
  });

  test("honours If-Match: 412 if the asset has changed", async () => {
    const { etag } = (await get()).headers;
    expect((await get({ "if-match": etag!, range: "bytes=0-9" })).status).toBe(206);
    api.faults.assets.change = {};
    const changed = await get({ "if-match": etag!, range: "bytes=0-9" });
    expect([changed.status, codeOf(changed)]).toEqual([412, "PreconditionFailed"]);
    expect((await get()).headers.etag).not.toBe(etag);
  });

  test("is a 400 with an Authorization header as well", async () => {
    const response = await get({ authorization });
    expect([response.status, codeOf(response)]).toEqual([400, "InvalidArgument"]);
  });

  test("is a 403 if its signature is wrong, missing or expired", async () => {
    const { href } = await part();
    const wrong = await rawRequest(href.replace(/Signature=./, "Signature=x"));
    expect([wrong.status, codeOf(wrong)]).toEqual([403, "SignatureDoesNotMatch"]);
    const other = await rawRequest(href.replace("part-2", "part-3"));
    expect([other.status, codeOf(other)]).toEqual([403, "SignatureDoesNotMatch"]);
    expect((await rawRequest(href.split("?")[0]!)).status).toBe(403);
    expect((await rawRequest(href)).status).toBe(200);
    api.faults.assets.expiresInMs = 0;
    const expired = await get();
    expect([expired.status, codeOf(expired)]).toEqual([403, "AccessDenied"]);
  });

  test("breaks as it is told to, apart from downloads, and is counted apart", async () => {
    api.faults.assets.lose = { atPercent: 50, times: 1 };
    api.faults.assets.refuse = { status: 503, retryAfter: 3, skip: 1, times: 1 };
    const { size, href } = await part();
    const [lost, refused, whole] = [await rawRequest(href), await rawRequest(href), await rawRequest(href)];
    expect([lost.complete, lost.body.length]).toEqual([false, Math.floor(size / 2)]);
    expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "3"]);
    expect(whole.body).toHaveLength(size);
    expect(api.counters).toMatchObject({
      ...{ assetRequests: 3, assetBytes: lost.body.length + size, metadataRequests: 1 },
      ...{ downloads: 0, transfers: 0, bytesSent: 0 },
    });
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });
});
