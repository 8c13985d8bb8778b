/** Images over a real Redis: hits, sharing, eviction under maxmemory, and a database that others use as well. */
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { collect } from "../support/collect.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const lease = { heartbeatMs: 100, ttlMs: 1_500, pollMs: 10 };
const api = await sharedApi({ imageBytes: 8 * MiB, holeFree: true, downloads: "with-validators" });
const server = await startTestRedis();
const client = new Redis(server.url);
const stores: ReturnType<typeof redisAdapter>[] = [];
beforeEach(() => client.flushall());
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.dispose()));
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

const expected = async () => ({ sha256: (await api.image(slug, version)).sha256 });

/** A manager with a client of its own, as in another process. */
function newManager() {
  const storage = redisAdapter({ url: server.url });
  stores.push(storage);
  return createTestManager(api, { storage, lease, chunkBytes: MiB });
}

test("a repeated get comes from Redis, byte for byte", async () => {
  const { manager, events } = newManager();
  const first = await manager.get(slug, version);
  expect(await collect(first)).toMatchObject(await expected());
  expect(await first.committed()).toMatchObject({ version });
  const second = await newManager().manager.get(slug, version);
  expect(second.origin).toBe("cache");
  expect(await collect(second)).toMatchObject(await expected());
  expect(api.counters.transfers).toBe(1);
  expect(events.of("store-fault")).toEqual([]);
});

test("two managers share one transfer, and leave neither lease nor journal", async () => {
  api.faults.linkBytesPerSecond = 8 * MiB;
  const managers = [newManager(), newManager()];
  const images = await Promise.all(managers.map(({ manager }) => manager.get(slug, version)));
  for (const image of await Promise.all(images.map(collect))) expect(image).toMatchObject(await expected());
  await Promise.all(managers.map(({ manager }) => manager.close()));
  expect(api.counters.transfers).toBe(1);
  expect(await client.keys("balena-images:v1:leases:*")).toEqual([]);
  expect(await client.keys("balena-images:v1:partials:*")).toEqual([]);
});

test("chunks are 1 MiB by default", async () => {
  const storage = redisAdapter({ url: server.url });
  stores.push(storage);
  const { manager } = createTestManager(api, { storage, lease, chunkBytes: 4 * MiB });
  expect((await collect(await manager.get(slug, version))).pieces).toEqual(Array(8).fill(MiB));
});

test("1,200 keys of others in the database outlive cleanCache", async () => {
  const foreign = Array.from({ length: 1_200 }, (_, index) =>
    index % 2 ? `balena-images2:v1:chunks:${index}` : `session:${index}`,
  ).concat("balena-images", "Balena-images:v1:x", "x:balena-images:v1:x");
  await client.mset(Object.fromEntries(foreign.map((key) => [key, `value of ${key}`])));
  const { manager } = newManager();
  await manager.prefetch(slug, version);
  expect(await client.dbsize()).toBeGreaterThan(foreign.length + 8);
  await manager.cleanCache();
  expect((await client.keys("*")).sort()).toEqual([...foreign].sort());
  expect(await client.mget(foreign)).toEqual(foreign.map((key) => `value of ${key}`));
});

test("chunks that maxmemory evicted are healed", async () => {
  const { manager, events } = newManager();
  await manager.prefetch(slug, version);
  const [manifest] = await client.keys("balena-images:v1:images:*");
  const before = await client.keys("balena-images:v1:chunks:*");
  // Redis evicts the idlest of the keys that it looks at, told apart by the second: the manifest stays by being read.
  await client.config("SET", "maxmemory-policy", "allkeys-lru", "maxmemory-samples", "64");
  await expect
    .poll(() => client.object("IDLETIME", before[0]!), { timeout: 10_000 })
    .toBeGreaterThanOrEqual(2);
  const used = Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
  for (let step = 1; step <= 40 && (await client.keys("balena-images:v1:chunks:*")).length > 5; step++) {
    await client.get(manifest ?? "");
    await client.config("SET", "maxmemory", String(used - step * 128 * 1024));
    await client.set("pressure", "x");
  }
  const evicted = before.length - (await client.keys("balena-images:v1:chunks:*")).length;
  await client.config("SET", "maxmemory", "0");
  expect(evicted).toBeGreaterThan(0);
  expect(await client.exists(manifest ?? "")).toBe(1);

  expect(await collect(await manager.get(slug, version))).toMatchObject(await expected());
  expect(events.types()).toContain("healed");
  await expect.poll(() => client.keys("balena-images:v1:chunks:*")).toHaveLength(before.length);
});

test("an image larger than maxmemory is delivered whole, the first time and again", async () => {
  const { manager } = newManager();
  await client.config("SET", "maxmemory-policy", "allkeys-lru", "maxmemory", String(5 * MiB));
  for (let round = 0; round < 2; round++)
    expect(await collect(await manager.get(slug, version))).toMatchObject(await expected());
  await client.config("SET", "maxmemory", "0");
});

test("a full Redis that does not evict is a store fault, and the image is delivered", async () => {
  const { manager, events } = newManager();
  await client.config("SET", "maxmemory-policy", "noeviction", "maxmemory", String(5 * MiB));
  expect(await collect(await manager.get(slug, version))).toMatchObject(await expected());
  await client.config("SET", "maxmemory", "0");
  expect(String(events.of("store-fault")[0]?.cause)).toContain("OOM");
});
