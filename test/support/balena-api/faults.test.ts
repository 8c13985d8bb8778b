// Broken and slow bodies of the loopback API, as a bare HTTP client sees them.
import { gunzipSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { startBalenaApi } from "./index.ts";
import { rawRequest } from "./raw-request.ts";

const api = await startBalenaApi({ imageBytes: 1024 * 1024 });
const url = `${api.url}/download?deviceType=raspberrypi4-64&version=6.1.0`;
const image = api.image("raspberrypi4-64", "6.1.0");
const raw = Buffer.from(image.bytes());
const gzBytes = await image.gzBytes();
const half = Math.floor(gzBytes / 2);

afterAll(() => api.close());
beforeEach(() => {
  api.faults.reset();
  api.counters.reset();
});

const get = (headers: Record<string, string> = {}, query = "") => rawRequest(url + query, { headers });
const getGz = () => get({}, "&fileType=.gz");
const isRaw = (body: Buffer) => Buffer.compare(body, raw) === 0;

describe("broken bodies", () => {
  it.each([
    [false, "aborted"],
    [true, "read ECONNRESET"],
  ])("lose: less than Content-Length, connection gone (reset: %s, seen as %s)", async (reset, seen) => {
    api.faults.lose = { atPercent: 50, reset };
    const { headers, complete, error, body } = await getGz();
    expect(headers["content-length"]).toBe(String(gzBytes));
    expect([complete, error, body.length]).toEqual([false, seen, half]);
  });

  it("endShort content-length: FIN before the announced length", async () => {
    api.faults.endShort = { how: "content-length", atByte: 1000 };
    const { headers, complete, body } = await getGz();
    expect([headers["content-length"], complete, body.length]).toEqual([String(gzBytes), false, 1000]);
  });

  it("endShort chunked: ends as if whole", async () => {
    api.faults.endShort = { how: "chunked", atPercent: 50 };
    const { headers, complete, body } = await getGz();
    expect([headers["transfer-encoding"], headers["content-length"]]).toEqual(["chunked", undefined]);
    expect([complete, body.length]).toEqual([true, half]);
  });

  it("endShort gzip-file: announces the short length", async () => {
    api.faults.endShort = { how: "gzip-file", atPercent: 50 };
    const { headers, complete, body } = await getGz();
    expect([headers["content-length"], complete, body.length]).toEqual([String(half), true, half]);
    expect(() => gunzipSync(body)).toThrow("unexpected end of file");
  });

  it.each(["", "&fileType=.gz", "&fileType=.zip"])(
    "endShort gzip-coding: a coding cut short, unasked for (%s)",
    async (query) => {
      api.faults.endShort = { how: "gzip-coding", atPercent: 50 };
      const { headers, complete, body } = await get({ "accept-encoding": "identity" }, query);
      expect([headers["content-encoding"], headers["content-length"], complete]).toEqual([
        "gzip",
        undefined,
        true,
      ]);
      expect(body.length).toBe(Math.floor(Number(headers["x-transfer-length"]) / 2));
      expect(() => gunzipSync(body)).toThrow("unexpected end of file");
    },
  );

  it("contentCoding forced: whole, twice gzipped if a .gz was asked for", async () => {
    api.faults.contentCoding = "forced";
    expect(isRaw(gunzipSync((await get()).body))).toBe(true);
    expect(isRaw(gunzipSync(gunzipSync((await getGz()).body)))).toBe(true);
  });

  it("contentLength omitted: chunked and whole", async () => {
    api.faults.contentLength = "omitted";
    const { headers, body } = await get();
    expect([headers["transfer-encoding"], headers["content-length"], isRaw(body)]).toEqual([
      "chunked",
      undefined,
      true,
    ]);
  });

  it("contentLength too-large: everything, then the end", async () => {
    api.faults.contentLength = "too-large";
    const { headers, complete, body } = await get();
    expect([headers["content-length"], complete, isRaw(body)]).toEqual([
      String(raw.length + 1000),
      false,
      true,
    ]);
  });

  it("extraBytes: junk after the file, announced", async () => {
    api.faults.extraBytes = 10;
    const { headers, complete, body } = await get();
    expect([headers["content-length"], complete]).toEqual([String(raw.length + 10), true]);
    expect(isRaw(body.subarray(0, raw.length))).toBe(true);
    expect(body.subarray(raw.length).toString()).toBe("**********");
  });

  it("times and skip: strikes those and no others; reset clears", async () => {
    api.faults.lose = { atPercent: 10, skip: 1, times: 1 };
    const seen = [];
    for (let i = 0; i < 3; i++) seen.push((await getGz()).complete);
    expect(seen).toEqual([true, false, true]);
    api.faults.lose = { atPercent: 10 };
    api.faults.reset();
    expect((await getGz()).complete).toBe(true);
  });
});

describe("pace", () => {
  it("stall: pauses at its place, then goes on", async () => {
    api.faults.stall = { atPercent: 50, forMs: 300 };
    const startedMs = performance.now();
    expect(isRaw((await get()).body)).toBe(true);
    expect(performance.now() - startedMs).toBeGreaterThan(280);
  });

  it("stall for ever: sends what comes before it and no more", async () => {
    api.faults.stall = { atByte: 1000 };
    const leaving = new AbortController();
    const response = await fetch(url, { signal: leaving.signal, headers: { "accept-encoding": "identity" } });
    const reader = response.body!.getReader();
    expect((await reader.read()).value).toHaveLength(1000);
    const more = reader.read().then(
      () => "bytes",
      () => "aborted",
    );
    await rawRequest(url, { method: "HEAD" }); // by then a later request has its answer
    expect(await Promise.race([more, Promise.resolve("nothing")])).toBe("nothing");
    leaving.abort();
    expect(await more).toBe("aborted");
    await expect.poll(() => api.counters.openConnections).toBe(0);
    expect(api.counters.bytesSent).toBe(1000);
  });

  it("linkBytesPerSecond: two downloads share it; connectionBytesPerSecond: each has its own", async () => {
    api.faults.linkBytesPerSecond = 4 * raw.length;
    const sharedMs = await elapsedMs(() => Promise.all([get(), get()]));
    api.faults.linkBytesPerSecond = undefined;
    api.faults.connectionBytesPerSecond = 4 * raw.length;
    expect(sharedMs).toBeGreaterThan(400);
    const ownMs: number[] = [];
    // On a busy machine it may take longer, but only what has its own pace can ever be faster than that.
    do ownMs.push(await elapsedMs(() => Promise.all([get(), get()])));
    while (ownMs.at(-1)! > 400);
    for (const ms of ownMs) expect(ms).toBeGreaterThan(180);
  });

  it("latencyMs: waits before the headers", async () => {
    api.faults.latencyMs = 150;
    expect(await elapsedMs(() => rawRequest(url, { method: "HEAD" }))).toBeGreaterThan(140);
  });
});

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
