/** The Redis store over a real cluster: the contract, images, and a single node of it, which is refused. */
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type RedisAdapterOptions, redisAdapter } from "../../src/adapters/redis/index.ts";
import { storeContract } from "../contract/store-contract.ts";
import { patternOf } from "../contract/store-contract-support.ts";
import { collect } from "../support/collect.ts";
import { contractHost } from "../support/contract-host.ts";
import { startTestRedisCluster } from "../support/redis-cluster.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const servers = await startTestRedisCluster(3);
const api = await sharedApi({ imageBytes: 16 * MiB, holeFree: true });
const nodes = servers.urls.map((url) => new Redis(url));
const cluster = new Cluster(servers.urls);
for (const node of nodes) node.on("error", () => undefined); // one dies
const flush = async () => void (await Promise.all(nodes.map((node) => node.flushall())));
beforeEach(flush);
afterAll(async () => {
  for (const client of [...nodes, cluster]) client.disconnect();
  await servers.stop();
});

/** Keys of each node, by its own word. */
const keysOfNodes = () => Promise.all(nodes.map(async (node) => (await node.keys("*")).sort()));

describe.each<[string, () => RedisAdapterOptions]>([
  ["contract, by URLs of its nodes", () => ({ cluster: servers.urls })],
  ["contract, by one of the URLs", () => ({ cluster: [servers.urls[1]!], keyPrefix: "mine/" })],
  ["contract, over a Cluster of the caller's", () => ({ client: cluster })],
])("%s", async (_, options) => {
  await storeContract({
    ...contractHost,
    create: async () => {
      await flush();
      return redisAdapter(options());
    },
  });
});

describe("an image in a cluster", () => {
  const setUp = async () => {
    const storage = redisAdapter({ cluster: servers.urls });
    const { manager } = createTestManager(api, { storage, chunkBytes: 256 * 1024 });
    await manager.prefetch(slug, version);
    return { storage, manager };
  };

  test("lies on all nodes, and is listed, verified, kept by prune and read back", async () => {
    const { storage, manager } = await setUp();
    expect((await keysOfNodes()).every((keys) => keys.length > 0)).toBe(true);
    const listed = [];
    for await (const image of manager.list()) listed.push(image.version);
    expect(listed).toEqual([version]);
    for (let round = 0; round < 2; round++) await manager.prune({});
    expect(await manager.verify()).toMatchObject({ damaged: [] });
    const image = await manager.get(slug, version, { cache: "only-if-cached" });
    expect(await collect(image)).toMatchObject({ sha256: (await api.image(slug, version)).sha256 });
    await manager.close();
    await storage.dispose();
  });

  test.each<[string, (url: string) => RedisAdapterOptions]>([
    ["a URL", (url) => ({ url })],
    ["a connection", (url) => ({ connection: { host: "127.0.0.1", port: Number(new URL(url).port) } })],
    ["a client", (url) => ({ client: nodes[servers.urls.indexOf(url)]! })],
  ])("survives those who come by %s of one node: nothing is listed or deleted", async (_, options) => {
    const { storage, manager } = await setUp();
    const before = await keysOfNodes();
    for (const url of servers.urls) {
      const single = redisAdapter(options(url));
      const other = createTestManager(api, { storage: single }).manager;
      const calls = [() => other.prune({}), () => other.cleanCache(), () => other.verify()];
      for (const call of calls) {
        await expect(call()).rejects.toMatchObject({
          code: "INVALID_ARGUMENT",
          message: expect.stringContaining("client: new Cluster("),
        });
      }
      for (const call of [() => single.getKeys("", {}), () => single.clear?.("balena-images", {})])
        await expect(call()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await other.close();
      await single.dispose();
    }
    expect(await keysOfNodes()).toEqual(before);
    await manager.close();
    await storage.dispose();
  });
});

test("a node that dies in the middle of a transfer: the reader gets every byte, and once it is back the image is cached", async () => {
  const storage = redisAdapter({ cluster: servers.urls, timeoutMs: 2_000 });
  const { manager, events } = createTestManager(api, { storage, chunkBytes: 256 * 1024 });
  const expected = { sha256: (await api.image(slug, version)).sha256 };
  api.faults.linkBytesPerSecond = 8 * MiB;
  const image = await manager.get(slug, version, { fileType: ".img" });
  const delivered = collect(image);
  await expect.poll(() => api.counters.bytesSent).toBeGreaterThan(4 * MiB);
  await servers.kill(1);
  expect(await delivered).toMatchObject(expected);
  expect(await image.committed()).toBeUndefined();
  expect(events.types()).toContain("store-fault");
  // While it is away, a third of the keys can't be read: no get fails for it.
  expect(await collect(await manager.get(slug, version, { fileType: ".img" }))).toMatchObject(expected);

  api.faults.linkBytesPerSecond = undefined;
  await servers.start(1);
  await expect
    .poll(
      async () => {
        const next = await manager.get(slug, version, { fileType: ".img" });
        expect(await collect(next)).toMatchObject(expected);
        return next.origin;
      },
      { timeout: 30_000 },
    )
    .toBe("cache");
  await manager.close();
  await storage.dispose();
});

test("keys that a hash tag keeps on one node may be reached by a client of that node", async () => {
  const keyPrefix = "{images}:";
  const whole = redisAdapter({ cluster: servers.urls, keyPrefix });
  for (const key of ["a:1", "a:2"]) await whole.setItemRaw?.(key, patternOf(9), {});
  const outcomes = servers.urls.map(async (url) => {
    const store = redisAdapter({ url, keyPrefix });
    const keys = await Promise.resolve(store.getKeys("a:", {})).catch((error) => error.code);
    await store.dispose();
    return Array.isArray(keys) ? keys.sort().join() : keys;
  });
  expect((await Promise.all(outcomes)).sort()).toEqual(["INVALID_ARGUMENT", "INVALID_ARGUMENT", "a:1,a:2"]);
  await whole.dispose();
});

test("a cluster that is not there fails within timeoutMs, and after dispose", async () => {
  const store = redisAdapter({ cluster: ["redis://:hush-hush@127.0.0.1:1"], timeoutMs: 300 });
  const startMs = performance.now();
  const failure = await Promise.resolve(store.getItemRaw?.("a", {})).catch((error: Error) => error);
  expect(String(failure)).toMatch(/No answer from Redis/);
  expect(String(failure)).not.toMatch(/hush/);
  expect(performance.now() - startMs).toBeLessThan(5_000);
  await store.dispose();
  await expect(store.getItemRaw?.("a", {})).rejects.toThrow("disposed");
});
