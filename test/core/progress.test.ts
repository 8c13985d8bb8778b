/** `onProgress`: monotonic, ends at the total, and can break nothing. */
import { beforeEach, describe, expect, test } from "vitest";
import type { GetOptions, Progress } from "../../src/core/index.ts";
import { progressAt } from "../../src/core/transfer/progress.ts";
import { collect } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const { size } = api.image(slug, version);

async function reportsOf(manager: ReturnType<typeof createTestManager>["manager"], options: GetOptions = {}) {
  const reports: Progress[] = [];
  const stream = await manager.get(slug, version, {
    ...options,
    onProgress: (progress) => reports.push(progress),
  });
  const { bytes } = await collect(stream);
  return { reports, bytes };
}

function expectMonotonic(reports: readonly Progress[], total: number) {
  const seen = reports.map(({ transferredBytes }) => transferredBytes);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(new Set(seen).size).toBe(seen.length);
  expect(reports.at(-1)).toMatchObject({ transferredBytes: total, totalBytes: total, percent: 100 });
  for (const { percent = 0, bytesPerSecond, etaMs = 0 } of reports) {
    expect(percent).toBeLessThanOrEqual(100);
    for (const value of [bytesPerSecond, etaMs]) expect(value).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(bytesPerSecond) && Number.isFinite(etaMs)).toBe(true);
  }
}

describe("ends at the total", () => {
  beforeEach(() => {
    api.faults.downloadSize = size;
  });

  test.each<[string, GetOptions, number]>([
    ["of a .gz, whose raw size is an estimate", {}, size],
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

test("an estimate that is too small is no total any more", async () => {
  const { manager } = createTestManager(api);
  api.faults.downloadSize = 1000;
  const { reports } = await reportsOf(manager);
  expect(reports.at(-1)).toEqual({ transferredBytes: size, bytesPerSecond: 0 });
});

test("what it throws is ignored, whatever it is", async () => {
  const { manager } = createTestManager(api);
  const onProgress = () => {
    throw new Error("the terminal is gone");
  };
  const stream = await manager.get(slug, version, { onProgress });
  expect((await collect(stream)).bytes).toBe(size);
});

test("without it nobody asks the upstream for an estimate", async () => {
  const { manager } = createTestManager(api);
  await collect(await manager.get(slug, version));
  expect(api.counters.requestLog.filter(({ url }) => url.includes("download-size"))).toEqual([]);
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
