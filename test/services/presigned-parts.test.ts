// Images by parts from a real object store (Ceph RGW, as balena's): presigned URLs, ranges, If-Match, expiry.
import { AwsClient } from "aws4fetch";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { bytesOf, collect, sha256 } from "../support/collect.ts";
import { type Bucket, newBucket } from "../support/s3-service.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkKeysOf, damage } from "../support/stored-values.ts";
import { createTestManager, type TestManager, type TestManagerOptions } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const api = await sharedApi({ assets: true, imageBytes: 128 * MiB });
const image = () => api.image(slug, version);
let bucket: Bucket;

interface Row {
  readonly asset_key: string;
  readonly asset: { href: string };
}
interface Releases {
  readonly d: readonly { readonly release_asset: readonly Row[] }[];
}

/** Puts all assets of the release into the bucket, as balena's builder does. */
beforeAll(async () => {
  bucket = await newBucket();
  let rows: readonly Row[] = [];
  const seen: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (String(input).includes("/v7/release"))
      rows = ((await response.clone().json()) as Releases).d.flatMap(({ release_asset }) => release_asset);
    return response;
  };
  await balenaApiSource({ apiUrl: api.url, fetch: seen }).request({
    ...{ deviceType: slug, version, variant: {}, fileType: ".gz" },
  });
  for (const { asset_key, asset } of rows)
    await bucket.write(asset_key, new Uint8Array(await (await fetch(asset.href)).arrayBuffer()));
}, 120_000);

/** A link to an object; one that `isPast` was made an hour ago, and has expired. */
async function presigned(key: string, isPast = false): Promise<string> {
  const { accessKeyId, secretAccessKey, region, endpoint, bucket: name } = bucket.access;
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3" });
  const url = new URL(`${endpoint}/${name}/${key}`);
  url.searchParams.set("X-Amz-Expires", "600");
  const madeAt = new Date(Date.now() - (isPast ? 3_600_000 : 0));
  const datetime = madeAt.toISOString().replace(/[-:]|\.\d{3}/g, "");
  return (await client.sign(url, { method: "GET", aws: { signQuery: true, datetime } })).url;
}

const opened: TestManager[] = [];
afterEach(() => Promise.all(opened.splice(0).map(({ manager }) => manager.close())));

/** A manager over the loopback API, whose assets are links to the bucket. All that goes there is noted. */
function open(options: TestManagerOptions = {}, isPast: (key: string) => boolean = () => false) {
  const toBucket: Request[] = [];
  const statuses: number[] = [];
  const change = { answer: async (response: Response) => response };
  const noting: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const response = await fetch(input, init);
    if (!String(input).startsWith(bucket.access.endpoint!)) return response;
    toBucket.push(request);
    statuses.push(response.status);
    return change.answer(response);
  };
  const lookUp: typeof fetch = async (input, init) => {
    const response = await noting(input, init);
    if (!String(input).includes("/v7/release")) return response;
    const answer = (await response.json()) as Releases;
    for (const { release_asset } of answer.d)
      for (const { asset, asset_key } of release_asset)
        asset.href = await presigned(asset_key, isPast(asset_key));
    return Response.json(answer);
  };
  const source = balenaApiSource({ apiUrl: api.url, token: api.token, fetch: lookUp });
  const made = createTestManager(api, { source, fetch: noting, chunkBytes: MiB, ...options });
  opened.push(made);
  const parts = () => toBucket.filter(({ url }) => url.includes("/part-"));
  return { ...made, toBucket, statuses, parts, change };
}

describe("an image by presigned links", () => {
  test("comes whole, with no token where the parts are", async () => {
    const { manager, toBucket, statuses } = open();
    const stream = await manager.get(slug, version);
    expect(stream.size).toBe(image().size);
    expect((await collect(stream)).sha256).toBe(await image().sha256);
    expect(await stream.committed()).toBeDefined();
    expect(toBucket.map(({ headers }) => headers.get("authorization"))).toEqual(toBucket.map(() => null));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(api.counters.downloads).toBe(0);
  });

  test("a token beside the signature is refused: so it must not go there", async () => {
    const url = await presigned("image.json");
    expect((await fetch(url)).status).toBe(200);
    const { status } = await fetch(url, { headers: { authorization: `Bearer ${api.token}` } });
    expect([400, 403]).toContain(status);
  });

  test("comes over four connections, by ranges that must match", async () => {
    const { manager, parts, statuses } = open({ connections: 4 });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(await image().sha256);
    const matched = parts().filter(({ headers }) => headers.has("if-match"));
    expect(matched.length).toBeGreaterThan(1);
    expect(statuses).toContain(206);
    expect(statuses.every((status) => status === 200 || status === 206)).toBe(true);
  });

  test("goes on after breaks, by Range and If-Match", async () => {
    const { manager, parts, change, events } = open();
    let breaks = 3;
    change.answer = async (response) =>
      Number(response.headers.get("content-length")) > MiB && breaks-- > 0
        ? broken(response, 600_000)
        : response;
    expect((await collect(await manager.get(slug, version))).sha256).toBe(await image().sha256);
    expect(events.of("resumed")).toHaveLength(3);
    expect(parts().filter(({ headers }) => headers.has("if-match") && headers.has("range"))).toHaveLength(3);
  });

  test("as a .gz is the file that /download makes", async () => {
    const { manager } = open();
    const url = `${api.url}/download?deviceType=${slug}&version=${version}&fileType=.gz`;
    const whole = await (await fetch(url, { headers: { "accept-encoding": "identity" } })).arrayBuffer();
    const ours = await bytesOf(await manager.get(slug, version, { fileType: ".gz" }));
    expect(sha256(ours)).toBe(sha256(new Uint8Array(whole)));
  });

  test("has its damaged chunks healed from the parts that cover them", async () => {
    const storage = memoryAdapter();
    const { manager, parts, toBucket, events } = open({ storage, freshness: { maxAgeMs: 600_000 } });
    const { id } = await manager.prefetch(slug, version);
    const keys = await chunkKeysOf(storage, id);
    await damage(storage, keys[3]!, "flip");
    toBucket.length = 0;
    expect((await collect(await manager.get(slug, version))).sha256).toBe(await image().sha256);
    expect(parts()).toHaveLength(1);
    expect(events.of("healed")).toMatchObject([{ chunks: 1 }]);
  });
});

test("a link that has expired is a 403: the source is asked for a new one", async () => {
  const links = { areOld: true };
  const { manager, parts, statuses, change } = open({}, (key) => links.areOld && key.includes("/part-"));
  change.answer = async (response) => {
    if (response.status === 403) links.areOld = false;
    return response;
  };
  expect((await collect(await manager.get(slug, version))).sha256).toBe(await image().sha256);
  expect(statuses.filter((status) => status === 403)).toHaveLength(1);
  const madeAt = parts().map(({ url }) => new URL(url).searchParams.get("X-Amz-Date"));
  expect(new Set(madeAt).size).toBeGreaterThan(1);
});

test("another object under the same name, while a part is on its way, is a 412: the checksum tells which one is right", async () => {
  const { manager, statuses, change, events } = open();
  const key = "compressed/part-2.deflate";
  const right = await bucket.read(key);
  const state = { isBroken: false };
  const other = right.slice();
  other[other.length - 1_000]! ^= 1;
  await bucket.write(key, other);
  change.answer = async (response) => {
    if (state.isBroken || !response.url.includes("part-2")) return response;
    state.isBroken = true;
    await bucket.write(key, right);
    return broken(response, 300_000);
  };
  await manager.prefetch(slug, version);
  const stream = await manager.get(slug, version, { cache: "only-if-cached" });
  expect((await collect(stream)).sha256).toBe(await image().sha256);
  expect(statuses).toContain(412);
  expect(events.of("resumed").length).toBeGreaterThan(0);
});

/** A body that breaks after so many bytes. */
function broken(response: Response, afterBytes: number): Response {
  let bytes = 0;
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      controller.enqueue(piece.subarray(0, Math.max(0, afterBytes - bytes)));
      bytes += piece.length;
      if (bytes >= afterBytes) controller.error(new TypeError("terminated"));
    },
  });
  return new Response(response.body!.pipeThrough(cut), response);
}
