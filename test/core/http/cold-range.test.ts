// Ranges of an image that is still coming down: answered as their bytes arrive, and never with a promise that may not hold.
import { describe, expect, test } from "vitest";
import { bytesOf, sha256 } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { fileResponse, gzip, noise, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { bodyFields, createTestHandler, heldResponse, summaryOf } from "./support.ts";

const content = noise(8 * chunkBytes + 100);
const size = content.length;
const path = "/images/intel-nuc/1.0.0";
const lastModified = "Wed, 04 Mar 2026 05:06:07 GMT";

/** An upstream that stops half-way until it is told to go on. */
function heldHandler(file: Uint8Array<ArrayBuffer>, options: object = {}) {
  const held = heldResponse(file, Math.floor(file.length / 2), { "last-modified": lastModified });
  const { source, fetch, downloads } = scriptedUpstream({ respond: held.response });
  const freshness = { maxAgeMs: 1e6 };
  return { ...held, downloads, ...createTestHandler({ url: "" }, { source, fetch, freshness, ...options }) };
}

describe("while the size is unknown", () => {
  test("a range is answered as soon as its last byte has come, long before the transfer ends", async () => {
    const { send, release, downloads, manager } = heldHandler(gzip(content));
    const whole = await send(path);
    const [start, end] = [chunkBytes - 5, 2 * chunkBytes + 5];
    const response = await send(path, { headers: { range: `bytes=${start}-${end - 1}` } });
    expect(summaryOf(response, "cache-control", ...bodyFields)).toEqual({
      status: 206,
      "accept-ranges": "bytes",
      "cache-control": "no-cache", // without an ETag nobody could tell which image it is a part of
      "content-length": String(end - start),
      "content-range": `bytes ${start}-${end - 1}/*`,
      "last-modified": lastModified,
    });
    expect(sha256(await bytesOf(response.body!))).toBe(sha256(content.subarray(start, end)));
    expect(await manager.inspect("intel-nuc", "1.0.0")).toBeUndefined();
    release();
    expect(sha256(await bytesOf(whole.body!))).toBe(sha256(content));
    expect(downloads).toHaveLength(1);
  });

  test("a range alone ends its transfer when it has its bytes", async () => {
    const { send, isCancelled, downloads } = heldHandler(gzip(content));
    const response = await send(path, { headers: { range: "bytes=0-9" } });
    expect(response.status).toBe(206);
    expect(await bytesOf(response.body!)).toEqual(content.slice(0, 10));
    await eventually(() => expect(isCancelled()).toBe(true));
    expect(downloads).toHaveLength(1);
  });

  test("waitUntil lets the cache fill nevertheless", async () => {
    const { source, fetch } = scriptedUpstream({ respond: () => fileResponse(gzip(content)) });
    const work: Promise<unknown>[] = [];
    const { send, manager } = createTestHandler(
      { url: "" },
      { source, fetch },
      { waitUntil: (promise) => work.push(promise) },
    );
    const response = await send(path, { headers: { range: "bytes=0-9" } });
    await response.body!.cancel();
    expect(work.length).toBeGreaterThan(0);
    await Promise.all(work);
    expect(await manager.inspect("intel-nuc", "1.0.0")).toMatchObject({ size });
  });

  test.each(["bytes=-5", "bytes=5-", `bytes=0-${64 * 1024 * 1024}`, `bytes=0-${"9".repeat(99)}`])(
    "%s is the whole, at once",
    async (range) => {
      const { send, release } = heldHandler(gzip(content));
      const response = await send(path, { headers: { range } });
      expect(summaryOf(response, ...bodyFields)).toEqual({
        status: 200,
        "accept-ranges": "bytes",
        "last-modified": lastModified,
      });
      release();
      expect(sha256(await bytesOf(response.body!))).toBe(sha256(content));
    },
  );

  test.each<[string, number, string, number]>([
    [`bytes=${size - 5}-${size + 5}`, 206, `bytes ${size - 5}-${size - 1}/${size}`, 5],
    [`bytes=${size}-${size + 5}`, 416, `bytes */${size}`, -1],
  ])(
    "%s waits for the end, and is then what it is of a cached image",
    async (range, status, contentRange, bytes) => {
      const { send, release } = heldHandler(gzip(content));
      const sent = send(path, { headers: { range } });
      release();
      const response = await sent;
      expect(summaryOf(response, "content-range")).toEqual({ status, "content-range": contentRange });
      if (bytes >= 0) expect(await bytesOf(response.body!)).toEqual(content.slice(-bytes));
    },
  );

  test.each([`bytes=${size - 5}-${size + 5}`, `bytes=${size}-${size + 5}`])(
    "%s of an image that is too large for the cache is the whole",
    async (range) => {
      const { source, fetch } = scriptedUpstream({ respond: () => fileResponse(gzip(content)) });
      const { send } = createTestHandler({ url: "" }, { source, fetch, maxBytes: chunkBytes });
      const response = await send(path, { headers: { range } });
      expect(response.status).toBe(200);
      expect(sha256(await bytesOf(response.body!))).toBe(sha256(content));
    },
  );

  test.each<[string, number]>([
    [lastModified, 206],
    ['"a"', 200],
  ])("If-Range %s", async (ifRange, status) => {
    const { send, release } = heldHandler(gzip(content));
    release();
    const response = await send(path, { headers: { range: "bytes=0-9", "if-range": ifRange } });
    expect(response.status).toBe(status);
    await response.body!.cancel();
  });
});

test("while a known size comes down, each chunk of a range is handed out as it arrives", async () => {
  const { send, release } = heldHandler(content);
  const response = await send(`${path}?fileType=.img`, { headers: { range: "bytes=5-" } });
  expect(summaryOf(response, "content-range", "content-length")).toEqual({
    status: 206,
    "content-range": `bytes 5-${size - 1}/${size}`,
    "content-length": String(size - 5),
  });
  const reader = response.body!.getReader();
  expect((await reader.read()).value).toEqual(content.slice(5, chunkBytes));
  reader.releaseLock();
  release();
  expect(sha256(await bytesOf(response.body!))).toBe(sha256(content.subarray(chunkBytes)));
});

test("a suffix of a known size is answered when its bytes have come", async () => {
  const { send, release } = heldHandler(content);
  const sent = send(`${path}?fileType=.img`, { headers: { range: "bytes=-5" } });
  release();
  const response = await sent;
  expect(response.headers.get("content-range")).toBe(`bytes ${size - 5}-${size - 1}/${size}`);
  expect(await bytesOf(response.body!)).toEqual(content.slice(-5));
});

test("a file without a byte of an image is no image: a bad gateway, and nothing is stored", async () => {
  const { source, fetch } = scriptedUpstream({ respond: () => fileResponse(gzip(new Uint8Array())) });
  const { send, manager } = createTestHandler({ url: "" }, { source, fetch });
  const response = await send(path);
  expect([response.status, await response.json()]).toMatchObject([502, { code: "UPSTREAM" }]);
  expect(await manager.inspect("intel-nuc", "1.0.0")).toBeUndefined();
});
