/** A store that is slow is not one that hangs, and what is late is not damaged. */
import { describe, expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { s3Adapter } from "../../../src/adapters/s3/index.ts";
import { monotonicMs } from "../../../src/core/clock.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { sleep } from "../../../src/core/waiting.ts";
import { collect, rejection } from "../../support/collect.ts";
import { sharedFakeS3 } from "../../support/fake-s3.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { startThrottledProxy } from "../../support/throttled-proxy.ts";

const imageBytes = 512 * 1024;
const api = await sharedApi({ imageBytes, holeFree: true });
const sha256 = await api.image(slug, version).sha256;
const s3 = await sharedFakeS3();
/** Less than a chunk takes over the slow lines below. */
const storeTimeoutMs = 1_000;
const server = { bucket: "cache", region: "us-east-1", accessKeyId: "key", secretAccessKey: "secret" };

function managerOver(storage: StoreDriver, options = { storeTimeoutMs }) {
  const made = createTestManager(api, { storage, ...options, freshness: { maxAgeMs: 60_000 } });
  onTestFinished(() => made.manager.close());
  return made;
}

/** S3 with the image in it, seen over a line of so many bytes a second. */
async function slowS3(bytesPerSecond: number) {
  await managerOver(s3Adapter({ ...server, endpoint: s3.url }), { storeTimeoutMs: 5_000 }).manager.prefetch(
    slug,
    version,
  );
  api.counters.reset();
  const proxy = await startThrottledProxy(Number(new URL(s3.url).port), bytesPerSecond);
  onTestFinished(() => proxy.close());
  const endpoint = `http://127.0.0.1:${proxy.port}`;
  return { proxy, ...managerOver(s3Adapter({ ...server, endpoint, timeoutMs: 3 * storeTimeoutMs })) };
}

describe("over a line on which a chunk takes longer than storeTimeoutMs", () => {
  test.each([1, 3])("%i at once read at the speed of the line, by the store alone", async (readers) => {
    const rate = 200_000;
    const { proxy, manager, events } = await slowS3(rate);
    const startedMs = monotonicMs();
    const streams = await Promise.all(Array.from({ length: readers }, () => manager.get(slug, version)));
    for (const read of await Promise.all(streams.map(collect))) expect(read.sha256).toBe(sha256);
    const tookMs = monotonicMs() - startedMs;
    expect(proxy.bytes()).toBeLessThan(1.1 * readers * imageBytes);
    expect(tookMs).toBeLessThan(3 * ((1000 * readers * imageBytes) / rate)); // timers of the proxy are late on a busy machine
    expect(new Set(events.types())).toEqual(new Set(["hit"]));
    expect(api.counters.requests).toBe(0);
    expect(s3.requests.filter(({ method, name }) => method === "PUT" && /chunks/.test(name)).length).toBe(2);
  });

  test("a driver that tells no progress is given the time that its size takes", async () => {
    const plain = memoryAdapter();
    await managerOver(plain).manager.prefetch(slug, version);
    api.counters.reset();
    const { capabilities: _, ...slow } = memoryAdapter();
    const shortMs = 100;
    let free = Promise.resolve();
    // A slow store, which sends one after the other, as over one connection.
    slow.getItemRaw = (key: string) => {
      const isChunk = key.includes(":chunks:");
      free = free.then(() => sleep(isChunk ? 1.5 * shortMs : 1));
      return free.then(() => plain.getItemRaw?.(key, {}));
    };
    const { manager, events } = managerOver(slow as StoreDriver, { storeTimeoutMs: shortMs });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(new Set(events.types())).toEqual(new Set(["hit"]));
    expect(api.counters.requests).toBe(0);
  });
});

describe("a chunk that never comes", () => {
  async function hungAt(chunk: number, times = Number.POSITIVE_INFINITY) {
    const storage = faultyDriver(memoryAdapter());
    const made = managerOver(
      Object.assign(storage, { capabilities: { completeListing: true, tellsProgress: true } }),
    );
    await made.manager.prefetch(slug, version);
    made.events.clear();
    storage.calls.splice(0);
    api.counters.reset();
    storage.faults.push({ operation: "getItemRaw", key: /:chunks:/, at: chunk + 1, times, does: "hang" });
    const written = () =>
      storage.calls.filter(({ operation, key }) => operation === "setItemRaw" && /chunks/.test(key));
    return { ...made, storage, written };
  }

  test("comes from the upstream, is told as a fault of the store, and is not written back", async () => {
    const { manager, events, written } = await hungAt(1);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(new Set(events.types())).toEqual(new Set(["hit", "store-fault"]));
    expect(events.of("store-fault")[0]).toMatchObject({ operation: "read", cause: { code: "STORE" } });
    expect(api.counters.transfers).toBe(1);
    expect(written()).toEqual([]);
  });

  test("is STORE for only-if-cached, which asks once more and nobody else", async () => {
    const { manager } = await hungAt(1);
    const stream = await manager.get(slug, version, { cache: "only-if-cached" });
    expect(await rejection(collect(stream))).toMatchObject({ code: "STORE" });
    expect(api.counters.requests).toBe(0);
  });

  test("is asked for once more if the upstream is away too", async () => {
    const { manager, events } = await hungAt(1, 1);
    api.faults.refuse = { status: 503 };
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(events.types()).toEqual(["hit", "store-fault", "failed", "store-back"]);
  });
});

test("a reader that leaves ends what is under way for it", async () => {
  const { manager, proxy } = await slowS3(200_000);
  const stream = await manager.get(slug, version);
  const reader = stream.getReader();
  const reading = reader.read().catch(() => undefined);
  await expect.poll(() => proxy.bytes()).toBeGreaterThan(32 * 1024);
  await reader.cancel();
  await reading;
  await expect.poll(() => s3.requests.length).toBeGreaterThan(0);
  expect(proxy.bytes()).toBeLessThan(2 * chunkBytes);
});
