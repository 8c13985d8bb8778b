// Stores that are slow, far, silent or flaky, each with each: every get ends with the right bytes, and the events say what happened.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { s3Adapter } from "../../src/adapters/s3/index.ts";
import type { StoreDriver } from "../../src/core/index.ts";
import { collect } from "../support/collect.ts";
import { startTestRedis, type TestRedis } from "../support/redis-server.ts";
import { newBucket } from "../support/s3-service.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";
import { startThrottledProxy, type ThrottledProxy } from "../support/throttled-proxy.ts";

const MiB = 1024 * 1024;
const api = await sharedApi({ imageBytes: 2 * MiB, holeFree: true });
const sha256 = await api.image(slug, version).sha256;
const storeTimeoutMs = 5_000;
let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());

/** A store behind a line. */
interface Lined {
  readonly storage: StoreDriver;
  readonly proxy: ThrottledProxy;
}

const stores: Record<string, (name: string) => Promise<Lined>> = {
  async Redis(name) {
    const proxy = await startThrottledProxy(redis.port, 100 * MiB);
    const url = `redis://127.0.0.1:${proxy.port}`;
    return { proxy, storage: redisAdapter({ url, timeoutMs: 1_000, keyPrefix: `${name}:` }) };
  },
  async S3(name) {
    const bucket = (await newBucket()).access;
    const proxy = await startThrottledProxy(Number(new URL(String(bucket.endpoint)).port), 100 * MiB);
    const endpoint = `http://127.0.0.1:${proxy.port}`;
    return { proxy, storage: s3Adapter({ ...bucket, endpoint, timeoutMs: 1_000, keyPrefix: `${name}/` }) };
  },
};

/** What becomes of the line. `mayGiveUp`: the store may be left alone, and the image then comes from the upstream. */
const lines: Record<string, { set(proxy: ThrottledProxy): void; readonly mayGiveUp: boolean }> = {
  "40 ms away": { set: (proxy) => Object.assign(proxy, { latencyMs: 40 }), mayGiveUp: false },
  "of 1 MB/s": { set: (proxy) => Object.assign(proxy, { bytesPerSecond: 1e6 }), mayGiveUp: true },
  "that answers nothing": { set: (proxy) => Object.assign(proxy, { bytesPerSecond: 0 }), mayGiveUp: true },
  "that breaks every megabyte": {
    set: (proxy) => Object.assign(proxy, { breaksAt: 70 }),
    mayGiveUp: true,
  },
};

// Each has a line and keys of its own, and most of them wait.
describe.concurrent.each(Object.keys(stores))("%s", (store) => {
  describe.each(Object.keys(lines))("over a line %s", (name) => {
    const { set, mayGiveUp } = lines[name]!;

    async function over() {
      const lined = await stores[store]!(crypto.randomUUID());
      const downloads: string[] = [];
      const counted: typeof fetch = (input, init) => {
        if (init?.method !== "HEAD") downloads.push(String(input));
        return fetch(input, init);
      };
      const made = createTestManager(api, { storage: lined.storage, storeTimeoutMs, fetch: counted });
      onTestFinished(async () => {
        lined.proxy.close();
        await made.manager.close();
        await lined.storage.dispose?.();
      });
      return { proxy: lined.proxy, manager: made.manager, events: made.events, downloads };
    }

    test("a first get ends, and says whether the image was stored", { timeout: 120_000 }, async () => {
      const { proxy, manager, events, downloads } = await over();
      set(proxy);
      const stream = await manager.get(slug, version);
      expect((await collect(stream)).sha256).toBe(sha256);
      const isStored = (await stream.committed().catch(() => undefined)) !== undefined;
      expect(isStored || mayGiveUp).toBe(true);
      expect(events.of(isStored ? "committed" : "store-fault").length).toBeGreaterThan(0);
      expect(downloads).toHaveLength(1);
    });

    test("a hit ends, from the store or from the upstream", { timeout: 120_000 }, async () => {
      const { proxy, manager, events, downloads } = await over();
      await manager.prefetch(slug, version);
      downloads.splice(0);
      set(proxy);
      expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
      expect(mayGiveUp || downloads.length === 0).toBe(true);
      expect(downloads.length).toBeLessThanOrEqual(1);
      if (downloads.length > 0) expect(events.of("store-fault").length).toBeGreaterThan(0);
      expect(events.of("healed")).toEqual([]);
    });
  });
});
