// A Redis that is far and slow, or that stands still: what a get waits for, and what it makes of it.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { collect } from "../support/collect.ts";
import { startTestRedis, type TestRedis } from "../support/redis-server.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";
import { startThrottledProxy } from "../support/throttled-proxy.ts";

const MiB = 1024 * 1024;
const api = await sharedApi({ imageBytes: 2 * MiB, holeFree: true });
const sha256 = await api.image(slug, version).sha256;
/** Less than a chunk of 1 MiB takes over the line below. */
const storeTimeoutMs = 1_500;
let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());

function managerOver(url: string, options: object = {}) {
  const storage = redisAdapter({ url, timeoutMs: 2_000 });
  const made = createTestManager(api, {
    storage,
    chunkBytes: MiB,
    freshness: { maxAgeMs: 600_000 },
    ...options,
  });
  onTestFinished(async () => {
    await made.manager.close();
    await storage.dispose();
  });
  return made;
}

describe("over a line of 0.4 MB/s", () => {
  test.each([1, 3])(
    "%i at once read at its speed, by the store alone",
    { timeout: 120_000 },
    async (readers) => {
      await managerOver(redis.url).manager.prefetch(slug, version);
      api.counters.reset();
      const proxy = await startThrottledProxy(redis.port, 400_000);
      onTestFinished(() => proxy.close());
      const { manager, events } = managerOver(`redis://127.0.0.1:${proxy.port}`, { storeTimeoutMs });
      const streams = await Promise.all(Array.from({ length: readers }, () => manager.get(slug, version)));
      for (const read of await Promise.all(streams.map(collect))) expect(read.sha256).toBe(sha256);
      expect(proxy.bytes()).toBeLessThan(1.05 * readers * 2 * MiB);
      expect(new Set(events.types())).toEqual(new Set(["hit"]));
      expect(api.counters.requests).toBe(0);
    },
  );
});

test("a line that stops in mid-chunk is left after one short wait, and the image comes from the upstream", async () => {
  await managerOver(redis.url).manager.prefetch(slug, version);
  const proxy = await startThrottledProxy(redis.port, 4 * MiB);
  onTestFinished(() => proxy.close());
  const { manager, events } = managerOver(`redis://127.0.0.1:${proxy.port}`, { storeTimeoutMs });
  const reading = manager.get(slug, version).then(collect);
  await expect.poll(() => proxy.bytes(), { interval: 5 }).toBeGreaterThan(MiB / 2);
  proxy.bytesPerSecond = 0;
  expect((await reading).sha256).toBe(sha256);
  expect(events.types()).toContain("store-fault");
  expect(events.types()).not.toContain("healed");
});
