/** What an upstream may answer besides the file: refusals, redirects, waits, other codings; and files that are taken as they are. */
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { monotonicMs } from "../../../src/core/clock.ts";
import { sleep } from "../../../src/core/waiting.ts";
import { collect, rejection, sha256 as sha256Of } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { strictInflater } from "../../support/strict-inflater.ts";
import { createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 3 * 1024 * 1024, downloads: "with-validators" });
const image = api.image(slug, version);
const sha256 = await image.sha256;
const downloads = () => api.counters.requestLog.filter(({ url }) => /download\?/.test(url));

describe("the file that is asked for", () => {
  test.each([400, 404, 405, 415])("if .gz is refused with %d, .img is taken", async (status) => {
    const { manager } = createTestManager(api);
    api.faults.refuse = { status, fileTypes: [".gz"] };
    const stream = await manager.get(slug, version);
    expect(stream.size).toBe(image.size);
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(await stream.committed()).toMatchObject({ size: image.size });
    expect(downloads().map(({ url }) => /fileType=(\.\w+)/.exec(url)?.[1])).toEqual([".gz", ".img"]);
  });

  test.each([
    [401, "UNAUTHORIZED", 1],
    [403, "UNAUTHORIZED", 1],
    [503, "UPSTREAM", 3],
  ])("where .gz is answered %d, .img is not tried", async (status, code, requests) => {
    const { manager } = createTestManager(api);
    api.faults.refuse = { status, fileTypes: [".gz"] };
    await expect(manager.get(slug, version)).rejects.toMatchObject({ code });
    expect(downloads()).toHaveLength(requests);
  });

  test.each([
    [404, "VERSION_NOT_FOUND"],
    [410, "VERSION_NOT_FOUND"],
    [400, "UPSTREAM"],
  ])("where everything is refused with %d: %s, without retries", async (status, code) => {
    const { manager } = createTestManager(api);
    api.faults.refuse = { status };
    await expect(manager.get(slug, version)).rejects.toMatchObject({ code });
    expect(downloads()).toHaveLength(2);
  });

  test.each([".img", ".gz", ".zip"] as const)(
    "%s that is asked for is delivered as it is",
    async (fileType) => {
      const { manager } = createTestManager(api, { freshness: { maxAgeMs: 60_000 } });
      const direct = await fetch(
        `${api.url}/download?deviceType=${slug}&version=${version}&fileType=${fileType}`,
        {
          headers: { "accept-encoding": "identity" },
        },
      );
      const file = await direct.bytes();
      for (const origin of ["network", "cache"]) {
        const stream = await manager.get(slug, version, { fileType });
        expect(stream).toMatchObject({ origin, size: file.length, mime: direct.headers.get("content-type") });
        expect((await collect(stream)).sha256).toBe(sha256Of(file));
      }
      if (fileType === ".gz") expect(sha256Of(gunzipSync(file))).toBe(sha256);
    },
  );

  test("a .zip that is refused is not replaced by another file", async () => {
    const { manager } = createTestManager(api);
    api.faults.refuse = { status: 400, fileTypes: [".zip"] };
    await expect(manager.get(slug, version, { fileType: ".zip" })).rejects.toMatchObject({
      code: "UPSTREAM",
    });
    expect(downloads()).toHaveLength(1);
  });

  test.each([1, 2, 5])("a .gz of %d members", async (gzipMembers) => {
    api.faults.gzipMembers = gzipMembers;
    for (const inflate of [undefined, strictInflater]) {
      const { manager } = createTestManager(api, inflate && { inflate });
      const stream = await manager.get(slug, version);
      expect((await collect(stream)).sha256).toBe(sha256);
      expect(await stream.committed()).toMatchObject({ size: image.size });
    }
  });

  test("a content coding that comes unasked is undone, and its Content-Length not believed", async () => {
    const { manager } = createTestManager(api);
    api.faults.contentCoding = "forced";
    const stream = await manager.get(slug, version);
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(await stream.committed()).toMatchObject({ size: image.size });
    const raw = await manager.get(slug, version, { fileType: ".img" });
    expect(raw.size).toBeUndefined();
    expect((await collect(raw)).sha256).toBe(sha256);
  });
});

describe("redirects", () => {
  test("to the same origin keep Authorization", async () => {
    const { manager } = createTestManager(api, { token: api.token });
    api.faults.redirect = { to: "same-origin" };
    expect((await collect(await manager.get("acme-gateway", "6.1.1"))).bytes).toBe(image.size);
    expect(downloads().map(({ headers }) => headers.authorization)).toEqual(
      Array(2).fill(`Bearer ${api.token}`),
    );
  });

  test("to another origin drop it", async () => {
    const { manager } = createTestManager(api, { token: api.token });
    api.faults.redirect = { to: "other-origin" };
    expect((await collect(await manager.get("acme-gateway", "6.1.1"))).bytes).toBe(image.size);
    const [first, second] = downloads();
    expect(first?.headers.authorization).toBe(`Bearer ${api.token}`);
    expect(second?.listener).toBe("files");
    expect(JSON.stringify(second?.headers)).not.toContain(api.token);
  });

  test("keep what makes a download resumable and revalidable", async () => {
    const { manager } = createTestManager(api);
    api.faults.redirect = { to: "other-origin" };
    api.faults.lose = { atPercent: 50, times: 1 };
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(downloads().at(-1)).toMatchObject({ listener: "files", status: 206 });
    expect((await manager.get(slug, version)).origin).toBe("cache");
    expect(downloads().at(-1)).toMatchObject({ listener: "files", status: 304 });
  });

  test("in a loop end in a typed error", async () => {
    const { manager } = createTestManager(api);
    api.faults.redirect = { to: "loop" };
    await expect(manager.get(slug, version, { fileType: ".img" })).rejects.toMatchObject({
      code: "UPSTREAM",
      unavailable: false,
      message: expect.stringContaining("redirected more than 10 times"),
    });
    expect(downloads()).toHaveLength(11);
  });
});

describe("an upstream in trouble", () => {
  test.each([500, 502, 503, 504, 429, 408, 425])("%d is tried again", async (status) => {
    const { manager } = createTestManager(api);
    api.faults.refuse = { status, times: 2 };
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(downloads()).toHaveLength(3);
  });

  test("for ever is a typed error that says the status", async () => {
    const { manager } = createTestManager(api);
    api.faults.refuse = { status: 503, retryAfter: 0 };
    const failure = await rejection(manager.get(slug, version));
    expect(failure).toMatchObject({ code: "UPSTREAM", status: 503, unavailable: true, retryAfterMs: 0 });
    expect((failure as Error).message).toContain("503");
    expect(downloads()).toHaveLength(3);
  });

  const waited = async (retryAfter: number | string, maxDelayMs: number) => {
    const { manager } = createTestManager(api, { retry: { maxDelayMs } });
    api.faults.refuse = { status: 429, times: 1, retryAfter };
    const startedAt = monotonicMs();
    await (await manager.get(slug, version)).cancel();
    return monotonicMs() - startedAt;
  };

  test("Retry-After is honoured in seconds", async () => {
    expect(await waited(1, 30_000)).toBeGreaterThanOrEqual(990);
  });

  test("Retry-After is honoured up to the cap", async () => {
    const waitedMs = await waited(3600, 200);
    expect(waitedMs).toBeGreaterThanOrEqual(190);
    expect(waitedMs).toBeLessThan(15_000);
  });

  test("Retry-After as a date counts from the upstream's own clock", async () => {
    api.faults.date = new Date("2026-01-01T00:00:00Z");
    const waitedMs = await waited("Thu, 01 Jan 2026 00:00:01 GMT", 30_000);
    expect(waitedMs).toBeGreaterThanOrEqual(990);
    expect(waitedMs).toBeLessThan(15_000);
  });

  test("one that never answers is given up", async () => {
    const { manager } = createTestManager(api, { retry: { attempts: 2, idleTimeoutMs: 150 } });
    api.faults.latencyMs = 600;
    await expect(manager.get(slug, version)).rejects.toMatchObject({
      code: "UPSTREAM",
      message: expect.stringContaining("did not answer within 150 ms"),
    });
  });

  test("a reader that takes its time is no idle upstream", async () => {
    const { manager, events } = createTestManager(api, {
      retry: { idleTimeoutMs: 400 },
      memoryBytes: 512 * 1024,
    });
    const stream = await manager.get(slug, version, { cache: "no-store", fileType: ".img" });
    let pieces = 0;
    // A slow reader: each of its pauses is longer than an upstream may be silent.
    for await (const piece of stream) {
      if (piece.length > 0 && pieces++ % 8 === 0) await sleep(600);
    }
    expect(pieces).toBe(12);
    expect(events.types()).not.toContain("resumed");
  });
});
