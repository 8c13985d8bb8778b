// GET and HEAD of images through a real manager: whole, in part, conditional, cold and cached.
import { createHash } from "node:crypto";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { StoreError } from "../../../src/core/index.ts";
import { bytesOf, collect, rejection, sha256, sha256ByOwnBuffer } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { bodyFields, createTestHandler, problemIn, summaryOf, type TestHandler } from "./support.ts";

const size = 4 * chunkBytes + 100;
const api = await sharedApi({ imageBytes: size, downloads: "with-validators" });
const path = "/images/intel-nuc/6.4.0%2Brev1";
const content = await contentOf();
const immutable = "public, max-age=31536000, immutable";
const fresh = { freshness: { maxAgeMs: 1e9 } };
const lastModified = "Wed, 04 Mar 2026 05:06:07 GMT";

async function contentOf(): Promise<Uint8Array> {
  const url = `${api.url}/download?deviceType=intel-nuc&version=6.4.0%2Brev1&fileType=.img`;
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}

async function cachedHandler(options: object = {}): Promise<TestHandler & { etag: string }> {
  const made = createTestHandler(api, { ...fresh, ...options });
  const { etag } = await made.manager.prefetch("intel-nuc", "6.4.0+rev1");
  api.counters.reset();
  return { ...made, etag };
}

describe("a cold image", () => {
  test("is streamed, and cached on the way", async () => {
    const { send, manager } = createTestHandler(api);
    const response = await send(path);
    expect(
      summaryOf(response, "cache-control", "content-type", "content-disposition", ...bodyFields),
    ).toEqual({
      status: 200,
      "accept-ranges": "bytes",
      "cache-control": "no-cache",
      "content-disposition": 'attachment; filename="intel-nuc-6.4.0+rev1.img"',
      "content-type": "application/octet-stream",
      "last-modified": lastModified,
    });
    expect((await collect(response.body!)).sha256).toBe(sha256(content));
    expect(await manager.inspect("intel-nuc", "6.4.0+rev1")).toMatchObject({ size });
  });

  test("whose end nothing proves breaks off there, and is not cached", async () => {
    const { send, manager } = createTestHandler(api);
    Object.assign(api.faults, { endShort: { how: "chunked", atPercent: 50 } });
    const response = await send(`${path}?fileType=.img`);
    expect(response.status).toBe(200);
    expect(await rejection(collect(response.body!))).toMatchObject({ code: "TRUNCATED_DOWNLOAD" });
    expect(await manager.inspect("intel-nuc", "6.4.0+rev1", { fileType: ".img" })).toBeUndefined();
  });

  test("of a plain file says its size", async () => {
    const response = await createTestHandler(api).send(`${path}?fileType=.img`);
    expect(response.headers.get("content-length")).toBe(String(size));
    expect((await collect(response.body!)).sha256).toBe(sha256(content));
  });

  test("can be read into buffers of the reader's own", async () => {
    const response = await createTestHandler(api).send(path);
    expect(await sha256ByOwnBuffer(response.body!)).toBe(sha256(content));
  });

  test("HEAD begins no transfer", async () => {
    const { send } = createTestHandler(api);
    const response = await send(path, { method: "HEAD" });
    expect(summaryOf(response, "cache-control", "content-type", ...bodyFields)).toEqual({
      status: 200,
      "accept-ranges": "bytes",
      "cache-control": "no-cache",
    });
    // With no body at all, Bun and Deno would say that its length is 0.
    expect(response.body).not.toBeNull();
    expect(await response.text()).toBe("");
    expect(api.counters.downloads).toBe(0);
  });

  test("200 requests at once are one transfer", async () => {
    const { send } = createTestHandler(api);
    const digests = await Promise.all(
      Array.from({ length: 200 }, async () => (await collect((await send(path)).body!)).sha256),
    );
    expect(new Set(digests)).toEqual(new Set([sha256(content)]));
    expect(api.counters).toMatchObject({ downloads: 1, transfers: 1 });
  });
});

describe("a cached image", () => {
  let cached: Awaited<ReturnType<typeof cachedHandler>>;
  beforeAll(async () => {
    cached = await cachedHandler();
  });

  test.each(["GET", "HEAD"])("%s says size, ETag and date", async (method) => {
    const response = await cached.send(path, { method });
    expect(summaryOf(response, "cache-control", "content-type", ...bodyFields)).toEqual({
      status: 200,
      "accept-ranges": "bytes",
      "cache-control": immutable,
      "content-length": String(size),
      "content-type": "application/octet-stream",
      etag: cached.etag,
      "last-modified": lastModified,
    });
    expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(
      sha256(method === "GET" ? content : new Uint8Array()),
    );
    expect(api.counters.requests).toBe(0);
  });

  test.each<[string, number, number]>([
    ["bytes=0-0", 0, 1],
    ["bytes=0-", 0, size],
    [`bytes=${chunkBytes - 1}-${chunkBytes}`, chunkBytes - 1, chunkBytes + 1],
    [`bytes=${size - 1}-`, size - 1, size],
    ["bytes=-1", size - 1, size],
    [`bytes=-${10 * size}`, 0, size],
    [`bytes=5-${"9".repeat(99)}`, 5, size],
  ])("%s is a 206", async (range, start, end) => {
    const response = await cached.send(path, { headers: { range } });
    expect(summaryOf(response, ...bodyFields)).toEqual({
      status: 206,
      "accept-ranges": "bytes",
      "content-length": String(end - start),
      "content-range": `bytes ${start}-${end - 1}/${size}`,
      etag: cached.etag,
      "last-modified": lastModified,
    });
    expect(sha256(await bytesOf(response.body!))).toBe(sha256(content.subarray(start, end)));
    expect(api.counters.requests).toBe(0);
  });

  test.each(["bytes=0-1,3-4", "items=0-1", "bytes=9-5", "bytes=a", "bytes="])(
    "%s is the whole",
    async (range) => {
      const response = await cached.send(path, { headers: { range } });
      expect(summaryOf(response, "content-range", "content-length")).toEqual({
        status: 200,
        "content-length": String(size),
      });
      expect((await collect(response.body!)).sha256).toBe(sha256(content));
    },
  );

  test.each([`bytes=${size}-`, `bytes=${"9".repeat(99)}-`, "bytes=-0"])("%s is a 416", async (range) => {
    const response = await cached.send(path, { headers: { range } });
    expect(summaryOf(response, "content-range", "content-type")).toEqual({
      status: 416,
      "content-range": `bytes */${size}`,
      "content-type": "application/problem+json",
    });
    expect(await problemIn(response)).toMatchObject({ status: 416 });
  });

  test("a HEAD knows no ranges", async () => {
    const response = await cached.send(path, { method: "HEAD", headers: { range: "bytes=0-1" } });
    expect(summaryOf(response, "content-length")).toEqual({ status: 200, "content-length": String(size) });
  });

  test.each<[string, Record<string, string>, number]>([
    ["its ETag", { "if-range": "ETAG" }, 206],
    ["a weak ETag", { "if-range": "W/ETAG" }, 200],
    ["another ETag", { "if-range": '"b"' }, 200],
    ["its date", { "if-range": lastModified }, 206],
    ["another date", { "if-range": "Wed, 04 Mar 2026 05:06:08 GMT" }, 200],
  ])("If-Range with %s", async (_, fields, status) => {
    const headers = { range: "bytes=0-9", "if-range": fields["if-range"]!.replace("ETAG", cached.etag) };
    const response = await cached.send(path, { headers });
    expect(response.status).toBe(status);
    expect((await bytesOf(response.body!)).length).toBe(status === 206 ? 10 : size);
    // A range that can't be satisfied is none where the image is another.
    const beyond = await cached.send(path, { headers: { ...headers, range: `bytes=${size}-` } });
    expect(beyond.status).toBe(status === 206 ? 416 : 200);
    await beyond.body?.cancel();
  });

  test.each(["GET", "HEAD"])("%s is a 304 if the client has it", async (method) => {
    for (const headers of [
      { "if-none-match": cached.etag },
      { "if-none-match": `"b", W/${cached.etag}`, range: "bytes=0-1" },
      { "if-none-match": "*" },
      { "if-modified-since": lastModified },
    ]) {
      const response = await cached.send(path, { method, headers });
      expect(summaryOf(response, "cache-control", "content-length", "etag", "last-modified")).toEqual({
        status: 304,
        "cache-control": immutable,
        etag: cached.etag,
        "last-modified": lastModified,
      });
      expect(response.body).toBeNull();
    }
    const headers = { "if-none-match": '"b"', "if-modified-since": lastModified };
    const response = await cached.send(path, { method, headers });
    expect(response.status).toBe(200);
    await response.body?.cancel();
  });

  test.each(["GET", "HEAD"])("%s is a 412 if it is not the one that is wanted", async (method) => {
    const response = await cached.send(path, { method, headers: { "if-match": '"b"' } });
    expect(summaryOf(response, "content-type")).toEqual({
      status: 412,
      "content-type": "application/problem+json",
    });
    if (method === "HEAD") expect(response.body).toBeNull();
  });

  test("a variant is an image of its own, with a name that says so", async () => {
    const response = await cached.send(`${path}?developmentMode=true&imageType=raw`, { method: "HEAD" });
    expect(summaryOf(response, "content-disposition", "etag")).toEqual({
      status: 200,
      "content-disposition": 'attachment; filename="intel-nuc-6.4.0+rev1-dev-raw.img"',
    });
  });
});

test("the answer speaks of the image that is served, not of the one that was cached", async () => {
  const { send, etag } = await cachedHandler({ freshness: { maxAgeMs: 0 } });
  api.faults.change = { content: true, validators: true };
  const headers = { "if-none-match": etag, range: "bytes=0-9", "if-range": etag };
  const response = await send(path, { headers });
  expect(summaryOf(response, "etag", "content-range", "content-length")).toEqual({ status: 200 });
  const other = api.image("intel-nuc", "6.4.0+rev1", {}, 1);
  expect((await collect(response.body!)).sha256).toBe(await other.sha256);
  expect((await send(path, { headers: { "if-none-match": etag } })).headers.get("etag")).not.toBe(etag);
});

test("a part costs no more questions to the upstream than the whole", async () => {
  const { send } = await cachedHandler({ freshness: { maxAgeMs: 0 } });
  const response = await send(path, { headers: { range: "bytes=0-9" } });
  expect(await bytesOf(response.body!)).toEqual(content.slice(0, 10));
  expect(api.counters).toMatchObject({ requests: 1, notModified: 1 });
});

test("a part of an image that is being refreshed is one of the new image", async () => {
  const { send } = await cachedHandler({ freshness: { maxAgeMs: 0 } });
  api.faults.change = { content: true, validators: true };
  const response = await send(path, { headers: { range: "bytes=0-99999" } });
  expect(summaryOf(response, "content-range")).toEqual({ status: 206, "content-range": "bytes 0-99999/*" });
  const part = await bytesOf(response.body!);
  expect(sha256(part)).not.toBe(sha256(content.subarray(0, 100_000)));
  const whole = await bytesOf((await send(path)).body!);
  expect(sha256(part)).toBe(sha256(whole.subarray(0, 100_000)));
});

test("a refresh between opening the image and opening its part serves the whole of what was opened", async () => {
  const { send, manager, etag } = await cachedHandler();
  const { get } = manager;
  const calls: unknown[] = [];
  const cancel = vi.fn(async () => {});
  Object.assign(manager, {
    get: async (...args: Parameters<typeof get>) => {
      calls.push(args[2]?.range);
      const stream = await get(...args);
      return args[2]?.range ? Object.assign(stream, { etag: '"another"', cancel }) : stream;
    },
  });
  const response = await send(path, { headers: { range: "bytes=0-9" } });
  expect(calls).toEqual([undefined, { start: 0, end: 10 }]);
  expect(cancel).toHaveBeenCalledOnce();
  expect(summaryOf(response, "etag", "content-length")).toEqual({
    status: 200,
    etag,
    "content-length": String(size),
  });
  expect((await collect(response.body!)).sha256).toBe(sha256(content));
});

test("a store that fails spoils neither GET nor HEAD", async () => {
  const storage = faultyDriver(memoryAdapter(), { operation: "getItemRaw", does: "throw" });
  const { send, manager, errors } = createTestHandler(api, { storage });
  manager.inspect = async () => Promise.reject(new StoreError("EIO"));
  expect((await send(path, { method: "HEAD" })).status).toBe(200);
  expect(errors).toMatchObject([{ code: "STORE" }]);
  expect((await collect((await send(path)).body!)).sha256).toBe(sha256(content));
});

test("an image that is served while the upstream is away has its ETag and is a 304, at once", async () => {
  const { send, etag, events } = await cachedHandler({ freshness: { maxAgeMs: 0 } });
  api.faults.metadata.lose = {};
  api.faults.refuse = { status: 503 };
  expect((await send(path, { headers: { "if-none-match": etag } })).status).toBe(304);
  const response = await send(path, { headers: { range: "bytes=-5" } });
  expect(summaryOf(response, "etag")).toEqual({ status: 206, etag });
  expect(sha256(await bytesOf(response.body!))).toBe(sha256(content.subarray(-5)));
  expect(events.types()).toContain("stale-served");
});

describe("a client that leaves", () => {
  test.each(["cancels the body", "aborts the request"])(
    "and %s harms no other, and the last ends the transfer",
    async (how) => {
      const { send, errors } = createTestHandler(api);
      const goOn = stallNext(api);
      const abort = new AbortController();
      const [leaving, staying] = [await send(path, { signal: abort.signal }), await send(path)];
      const leave = (response: Response) => {
        if (how === "aborts the request") return abort.abort();
        return response.body!.cancel();
      };
      await leave(leaving);
      goOn();
      const hash = createHash("sha256");
      for await (const piece of staying.body!) hash.update(piece);
      expect(hash.digest("hex")).toBe(sha256(content));
      expect(api.counters.transfers).toBe(1);
      expect(errors).toEqual([]);

      const last = await createTestHandler(api).send(path);
      await last.body!.cancel();
      await eventually(() => expect(api.counters.openConnections).toBe(0));
    },
  );

  test("before it is answered costs nothing", async () => {
    const { send, errors } = createTestHandler(api);
    api.faults.latencyMs = 60_000;
    const abort = new AbortController();
    const response = send(path, { signal: abort.signal });
    await eventually(() => expect(api.counters.downloads).toBe(1));
    abort.abort();
    expect((await response).status).toBe(499);
    expect(errors).toEqual([]);
    expect((await send(path, { signal: AbortSignal.abort() })).status).toBe(499);
  });
});

test("if the runtime has a stream that knows its length, it is used", async () => {
  const lengths: number[] = [];
  const FixedLengthStream = class extends TransformStream {
    constructor(bytes: number) {
      super();
      lengths.push(bytes);
    }
  };
  vi.stubGlobal("FixedLengthStream", FixedLengthStream);
  onTestFinished(() => void vi.unstubAllGlobals());
  const { send } = createTestHandler(api);
  expect((await collect((await send(path)).body!)).bytes).toBe(size);
  expect(lengths).toEqual([]);
  expect((await collect((await send(path)).body!)).sha256).toBe(sha256(content));
  const part = await send(path, { headers: { range: "bytes=5-9" } });
  expect(await bytesOf(part.body!)).toEqual(content.slice(5, 10));
  expect(lengths).toEqual([size, 5]);

  await (await send(path)).body!.cancel();
  api.faults.lose = { atPercent: 60 };
  await expect(collect((await send(`${path}?fileType=.img`)).body!)).rejects.toMatchObject({
    code: "UPSTREAM",
  });
});

test("a body that breaks off is an error to the client and is told to the operator", async () => {
  const { send, errors } = createTestHandler(api);
  api.faults.lose = { atPercent: 60 };
  const response = await send(`${path}?fileType=.img`);
  expect(response.status).toBe(200);
  await expect(collect(response.body!)).rejects.toMatchObject({ code: "UPSTREAM" });
  expect(errors).toMatchObject([{ code: "UPSTREAM" }]);
});

test("a transfer that fails before its first bytes is a problem, not a broken body", async () => {
  const { send, errors } = createTestHandler(api);
  api.faults.lose = { atByte: 0 };
  const response = await send(`${path}?fileType=.img`);
  expect(response.status).toBe(502);
  expect(await problemIn(response)).toMatchObject({ code: "UPSTREAM" });
  expect(errors).toMatchObject([{ code: "UPSTREAM" }]);
});
