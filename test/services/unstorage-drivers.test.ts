/** unstorage's own drivers as stores: what of the contract each of them does not hold, and whether a second get comes from it. docs/writing-an-adapter.md has the table. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Redis } from "ioredis";
import { Miniflare } from "miniflare";
import { createStorage, type Driver } from "unstorage";
import kvDriver from "unstorage/drivers/cloudflare-kv-binding";
import fsDriver from "unstorage/drivers/fs";
import fsLiteDriver from "unstorage/drivers/fs-lite";
import httpDriver from "unstorage/drivers/http";
import lruCacheDriver from "unstorage/drivers/lru-cache";
import memoryDriver from "unstorage/drivers/memory";
import overlayDriver from "unstorage/drivers/overlay";
import redisDriver from "unstorage/drivers/redis";
import s3Driver from "unstorage/drivers/s3";
import { createStorageServer } from "unstorage/server";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { StoreDriver } from "../../src/core/index.ts";
import { storeContract } from "../contract/store-contract.ts";
import { collect } from "../support/collect.ts";
import { newBase } from "../support/fs-store.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { type BucketAccess, newBucket } from "../support/s3-service.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const redis = await startTestRedis();
const workers = new Miniflare({
  modules: true,
  script: 'export default { fetch: () => new Response("") };',
  kvNamespaces: ["KV"],
});
const { KV } = await workers.getBindings<{ KV: Parameters<typeof kvDriver>[0]["binding"] }>();
const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
  await workers.dispose();
  await redis.stop();
});
beforeEach(async () => {
  const client = new Redis(redis.url);
  await client.flushall();
  client.disconnect();
});

/** A server of unstorage's own over a memory driver. */
async function overHttp(): Promise<Driver> {
  const server = createServer(createStorageServer(createStorage()).handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  return httpDriver({ base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

/** The driver wants every one of them. */
const s3OptionsOf = ({ accessKeyId, secretAccessKey, bucket, region, endpoint = "" }: BucketAccess) => ({
  ...{ accessKeyId, secretAccessKey, bucket, region, endpoint },
});

const itsOwnBuffers = "values are own buffers, going in and coming out";
const bounds = "with maxBytes, a value of that size comes back whole, and a larger one as null";
const listing = "lists every key under a prefix, and no other";
const clear = "clear deletes what is under the level given, and no other key";
const many = "lists 1,100 keys";
const keys = "takes every shape of key that the library uses";
const oddKeys = "keeps odd keys apart, or refuses them";
const remove = "remove deletes one key and no other";
const races = "racing writes of one key end whole, and no reader sees less than a whole value";

/** Drivers with raw values, and the cases that they do not pass. */
const raw: [name: string, create: () => Driver | Promise<Driver>, lacks: string[]][] = [
  ["memory", () => memoryDriver(), [bounds, clear, listing, itsOwnBuffers]],
  ["lru-cache", () => lruCacheDriver({ max: 10_000 }), [bounds, clear, listing, itsOwnBuffers]],
  [
    "fs",
    async () => fsDriver({ base: await newBase() }),
    [bounds, remove, listing, many, clear, keys, oddKeys],
  ],
  [
    "fs-lite",
    async () => fsLiteDriver({ base: await newBase() }),
    [bounds, remove, listing, many, clear, keys, oddKeys],
  ],
];

describe.each(raw)("%s", (_, create, lacks) => {
  test("holds the contract but for what the table says", async () => {
    const runs: [name: string, run: () => Promise<void>][] = [];
    await storeContract({
      test: (name, run) => void runs.push([name, run]),
      skip: () => undefined,
      equal: (actual, expected, message) => expect(actual, message).toEqual(expected),
      create: async () => ({ ...(await create()), capabilities: { completeListing: true } }) as StoreDriver,
    });
    const failed: string[] = [];
    for (const [name, run] of runs) await run().catch(() => failed.push(name));
    expect(runs).toHaveLength(16);
    // Whether a torn value shows is chance.
    expect(failed.filter((name) => name !== races).sort()).toEqual([...lacks].sort());
  });
});

/** All that were run, and where their second get comes from. */
const all: [name: string, create: () => Driver | Promise<Driver>, second: "cache" | "network"][] = [
  ...raw.map(([name, create]): [string, typeof create, "cache"] => [name, create, "cache"]),
  ["redis", () => redisDriver({ url: redis.url, base: "x" }), "cache"],
  ["s3", async () => s3Driver(s3OptionsOf((await newBucket()).access)), "cache"],
  [
    "overlay",
    async () => overlayDriver({ layers: [memoryDriver(), fsDriver({ base: await newBase() })] }),
    "cache",
  ],
  ["cloudflare-kv-binding", () => kvDriver({ binding: KV }), "cache"],
  ["http", overHttp, "network"],
];

test.each(all)(
  "%s gives right bytes; a second get comes from where the table says",
  async (_, create, second) => {
    const storage = await create();
    const { manager } = createTestManager(api, { storage });
    const expected = { sha256: await api.image(slug, version).sha256 };
    expect(await collect(await manager.get(slug, version))).toMatchObject(expected);
    const again = await manager.get(slug, version);
    expect(await collect(again)).toMatchObject(expected);
    expect(again.origin).toBe(second);
    await manager.close();
    await storage.dispose?.();
  },
);
