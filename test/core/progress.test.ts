/** `onProgress`: monotonic, ends at the total, and can break nothing. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { progressAt } from "../../src/core/delivery/progress.ts";
import type { GetOptions, Progress } from "../../src/core/index.ts";
import { collect } from "../support/collect.ts";
import { chunkedResponse, gzip, noise, scriptedUpstream } from "../support/scripted-upstream.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { stallNext } from "../support/stall.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";
import { lease, MiB } from "./sharing/support.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const { size } = api.image(slug, version);

async function reportsOf(
  manager: ReturnType<typeof createTestManager>["manager"],
  options: GetOptions = {},
  onReport: () => void = () => undefined,
) {
  const reports: Progress[] = [];
  const stream = await manager.get(slug, version, {
    ...options,
    onProgress: (progress) => {
      reports.push(progress);
      onReport();
    },
  });
  const { bytes } = await collect(stream);
  return { reports, bytes };
}

function expectMonotonic(reports: readonly Progress[], total: number) {
  const seen = reports.map(({ transferredBytes }) => transferredBytes);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  // The last word may say of the same bytes that they are all.
  expect(new Set(seen).size).toBeGreaterThanOrEqual(seen.length - 1);
  const percents = reports.map(({ percent = -1 }) => percent);
  expect(percents).toEqual([...percents].sort((a, b) => a - b));
  expect(reports.at(-1)).toMatchObject({ transferredBytes: total, totalBytes: total, percent: 100 });
  for (const { percent = 0, bytesPerSecond, etaMs = 0 } of reports) {
    expect(percent).toBeLessThanOrEqual(100);
    for (const value of [bytesPerSecond, etaMs]) expect(value).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(bytesPerSecond) && Number.isFinite(etaMs)).toBe(true);
  }
}

describe("ends at the total", () => {
  test.each<[string, GetOptions, number]>([
    ["of a .gz, whose raw size nobody knows", {}, size],
    ["of an .img, whose size is known", { fileType: ".img" }, size],
    ["past the cache", { cache: "no-store" }, size],
    ["of a range", { range: { start: 5, end: chunkBytes + 5 } }, chunkBytes],
    ["of an open range", { range: { start: size - 100 } }, 100],
  ])("%s, first from the upstream, then again", async (_, options, total) => {
    const { manager, clock } = createTestManager(api, { freshness: { maxAgeMs: 1e9 } });
    for (let round = 0; round < 2; round++) {
      const { reports, bytes } = await reportsOf(manager, options);
      expect(bytes).toBe(total);
      expectMonotonic(reports, total);
      clock.advance(1000);
    }
  });

  test("through a break", async () => {
    const { manager } = createTestManager(api);
    api.faults.lose = { atPercent: 60, times: 1 };
    api.faults.ranges = "off";
    const { reports } = await reportsOf(manager);
    expectMonotonic(reports, size);
  });
});

describe("while nobody knows the image's size", () => {
  // Half of the image does not shrink on the wire, the other half is next to nothing there.
  const content = new Uint8Array(24 * MiB).fill(7);
  content.set(noise(12 * MiB));
  const packed = gzip(content);

  /** The file in small pieces, and how much of it was asked for. */
  function pieces() {
    const sent = { bytes: 0 };
    const body = new ReadableStream({
      pull(controller) {
        const piece = packed.slice(sent.bytes, sent.bytes + 8 * 1024);
        if (piece.length === 0) return controller.close();
        sent.bytes += piece.length;
        controller.enqueue(piece);
      },
    });
    return { sent, body };
  }

  test("the percentage is that of the bytes on the wire", async () => {
    const { sent, body } = pieces();
    const { source, fetch } = scriptedUpstream({
      respond: () => new Response(body, { headers: { "content-length": String(packed.length) } }),
    });
    const { manager } = createTestManager(api, { source, fetch, memoryBytes: chunkBytes });
    const curve: [share: number, percent: number | undefined, transferred: number][] = [];
    const stream = await manager.get("intel-nuc", "1.0.0", {
      cache: "no-store",
      onProgress: ({ percent, transferredBytes }) =>
        curve.push([(100 * sent.bytes) / packed.length, percent, transferredBytes]),
    });
    const { bytes } = await collect(stream);
    expect(bytes).toBe(content.length);
    // The last MiB is read ahead of being asked for, so there the wire may be further.
    const ahead = (100 * MiB) / packed.length;
    for (const [share, percent] of curve) {
      expect(percent! - share).toBeLessThanOrEqual(1);
      expect(share - percent!).toBeLessThanOrEqual(share < 100 - ahead - 1 ? 1 : ahead + 1);
    }
    // At a quarter of the image half of the wire's bytes are there, at half of it nearly all.
    const at = (part: number) => curve.find(([, , transferred]) => transferred >= part * content.length)?.[1];
    expect(Math.abs(at(0.25)! - 50)).toBeLessThan(2);
    for (const percent of [at(0.5), at(0.75)]) {
      expect(percent).toBeGreaterThan(98);
      expect(percent).toBeLessThan(100);
    }
    expect(curve.filter(([, percent]) => percent === 100)).toHaveLength(1);
    expect(curve.at(-1)?.slice(1)).toEqual([100, content.length]);
  });

  test("a reader that lags is told what came with his bytes, not what has come since", async () => {
    const { body } = pieces();
    const { source, fetch } = scriptedUpstream({
      respond: () => new Response(body, { headers: { "content-length": String(packed.length) } }),
    });
    const { manager } = createTestManager(api, { source, fetch });
    const reports: Progress[] = [];
    const stream = await manager.get("intel-nuc", "1.0.0", { onProgress: (report) => reports.push(report) });
    const reader = stream.getReader();
    await reader.read();
    await expect.poll(() => manager.inspect("intel-nuc", "1.0.0")).toBeDefined();
    reader.releaseLock();
    expect(reports[0]!.percent).toBeLessThan(5);
    await collect(stream);
    expectMonotonic(reports, content.length);
  });

  test("prefetch says the same", async () => {
    const { body } = pieces();
    const { source, fetch } = scriptedUpstream({
      respond: () => new Response(body, { headers: { "content-length": String(packed.length) } }),
    });
    const { manager } = createTestManager(api, { source, fetch });
    const reports: Progress[] = [];
    await manager.prefetch("intel-nuc", "1.0.0", { onProgress: (report) => reports.push(report) });
    expect(reports.every(({ percent }) => percent !== undefined)).toBe(true);
    expectMonotonic(reports, content.length);
  });

  test("without a length there is no percentage before the end, unless the source guesses", async () => {
    const respond = () => chunkedResponse(packed);
    const percents = async (estimatedBytes: number | undefined) => {
      const { source, fetch } = scriptedUpstream({ respond, request: { estimatedBytes } });
      const { manager } = createTestManager(api, { source, fetch });
      const reports: Progress[] = [];
      await collect(
        await manager.get("intel-nuc", "1.0.0", { onProgress: (report) => reports.push(report) }),
      );
      return reports.map(({ percent }) => percent);
    };
    expect(new Set(await percents(undefined))).toEqual(new Set([undefined, 100]));
    expect((await percents(2 * content.length)).at(40)).toBeCloseTo(
      (100 * 41 * chunkBytes) / (2 * content.length),
    );
    expect((await percents(1000)).at(-1)).toBe(100); // too small: none, until the end
  });
});

test("a follower of another process's transfer is told as much", async () => {
  const storage = memoryAdapter();
  const goOn = stallNext(api, 40);
  const owner = createTestManager(api, { storage, lease });
  const follower = createTestManager(api, { storage, lease });
  const owned = await owner.manager.get(slug, version);
  const following = reportsOf(follower.manager, {}, goOn);
  const [{ reports }] = await Promise.all([following, collect(owned)]);
  expect(api.counters.transfers).toBe(1);
  expect(reports.every(({ percent }) => percent !== undefined)).toBe(true);
  expectMonotonic(reports, size);
  expect(reports[0]!.percent).toBeLessThan(50);
});

test("no request but the download's own is made for it", async () => {
  const { manager } = createTestManager(api, { maxBytes: 1e9 });
  await manager.resolve(slug, version);
  api.counters.reset();
  await reportsOf(manager);
  expect(api.counters.requestLog.filter(({ url }) => url.startsWith("/device-types"))).toEqual([]);
});

test("what it throws is ignored, whatever it is", async () => {
  const { manager } = createTestManager(api);
  const onProgress = () => {
    throw new Error("the terminal is gone");
  };
  const stream = await manager.get(slug, version, { onProgress });
  expect((await collect(stream)).bytes).toBe(size);
});

describe("progressAt", () => {
  test.each<[string, Parameters<typeof progressAt>, Progress]>([
    [
      "half way",
      [50, 100, 1000],
      { transferredBytes: 50, totalBytes: 100, percent: 50, etaMs: 1000, bytesPerSecond: 50 },
    ],
    [
      "at the end",
      [100, 100, 500],
      { transferredBytes: 100, totalBytes: 100, percent: 100, etaMs: 0, bytesPerSecond: 200 },
    ],
    [
      "no time has passed",
      [50, 100, 0],
      { transferredBytes: 50, totalBytes: 100, percent: 50, bytesPerSecond: 0 },
    ],
    [
      "the clock went back",
      [50, 100, -5],
      { transferredBytes: 50, totalBytes: 100, percent: 50, bytesPerSecond: 0 },
    ],
    ["no total", [50, undefined, 1000], { transferredBytes: 50, bytesPerSecond: 50 }],
    ["a total that was passed", [50, 49, 1000], { transferredBytes: 50, bytesPerSecond: 50 }],
    ["an empty image", [0, 0, 10], { transferredBytes: 0, totalBytes: 0, percent: 100, bytesPerSecond: 0 }],
  ])("%s", (_, args, expected) => expect(progressAt(...args)).toEqual(expected));
});
