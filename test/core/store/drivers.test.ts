/** Any unstorage driver or storage will do: the real ones, one that keeps strings only, ones with limits, ones with strange neighbours. */
import { readdir, writeFile } from "node:fs/promises";
import { createStorage, type Driver, prefixStorage, type Storage } from "unstorage";
import fsDriver from "unstorage/drivers/fs";
import fsLiteDriver from "unstorage/drivers/fs-lite";
import lruCacheDriver from "unstorage/drivers/lru-cache";
import memoryDriver from "unstorage/drivers/memory";
import { createStorage as createStorage2 } from "unstorage2";
import fsDriver2 from "unstorage2/drivers/fs";
import { describe, expect, test } from "vitest";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageManager, type KeyValueStore, type StoreDriver } from "../../../src/core/index.ts";
import { repeatableImages, startBalenaApi } from "../../support/balena-api/index.ts";
import { arrayOf, collect } from "../../support/collect.ts";
import { newBase } from "../../support/fs-store.ts";
import { scriptedUpstream } from "../../support/scripted-upstream.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { keysOf, readJson } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ ...repeatableImages, imageBytes: 2 * 1024 * 1024 });
const sha256 = await api.image(slug, version).sha256;

/** Keeps strings, and nothing else: what a driver without raw methods does. */
function stringDriver(): Driver & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    hasItem: (key) => values.has(key),
    getItem: (key) => values.get(key) ?? null,
    setItem(key, value) {
      if (typeof value !== "string") throw new TypeError("strings only");
      values.set(key, value);
    },
    removeItem: (key) => void values.delete(key),
    getKeys: () => [...values.keys()],
  };
}

const drivers: [string, () => Promise<KeyValueStore>][] = [
  ["memory", async () => memoryDriver()],
  ["lru-cache", async () => lruCacheDriver({ max: 1000 })],
  ["fs", async () => fsDriver({ base: await newBase() })],
  ["fs-lite", async () => fsLiteDriver({ base: await newBase() })],
  ["a driver of strings", async () => stringDriver()],
  ["a storage over memory", async () => createStorage()],
  ["a storage over fs", async () => createStorage({ driver: fsDriver({ base: await newBase() }) })],
  ["a storage over a driver of strings", async () => createStorage({ driver: stringDriver() })],
  ["a part of a storage", async () => prefixStorage(createStorage(), "tenant:a") as Storage],
  ["fs of unstorage 2", async () => fsDriver2({ base: await newBase() })],
  ["a storage of unstorage 2", async () => createStorage2()],
  ["our memory adapter in a storage of unstorage 2", async () => createStorage2({ driver: memoryAdapter() })],
  ["our memory adapter in a storage", async () => createStorage({ driver: memoryAdapter() })],
];

describe.each(drivers)("%s", (_, create) => {
  test("does the main job", async () => {
    const storage = await create();
    const { manager, clock } = createTestManager(api, { storage, freshness: { maxAgeMs: 1000 } });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    const dev = await manager.prefetch(slug, version, { developmentMode: true });
    api.counters.reset();
    for (let round = 0; round < 2; round++) {
      const stream = await manager.get(slug, version);
      expect(stream.origin).toBe("cache");
      // Scribbling reaches no later reader, though some drivers keep the very buffers that they are given.
      for await (const piece of stream) piece.fill(0xff);
    }
    const range = { start: chunkBytes - 3, end: chunkBytes + 3 };
    expect((await collect(await manager.get(slug, version, { range }))).bytes).toBe(6);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(api.counters.requests).toBe(0);

    clock.advance(1000);
    expect(await manager.isFresh(slug, version, { developmentMode: true })).toBe(true);
    const listed = await arrayOf(manager.list());
    expect(listed.map(({ id }) => id)).toContain(dev.id);
    expect(listed).toHaveLength(2);
    await manager.cleanCache();
    expect(await storage.getKeys("", {})).toEqual([]);
    expect(await manager.inspect(slug, version)).toBeUndefined();
  });

  test("is healed if a chunk is gone", async () => {
    const storage = (await create()) as Driver;
    const { manager } = createTestManager(api, { storage, freshness: { maxAgeMs: 1000 } });
    await manager.prefetch(slug, version);
    const keys = await storage.getKeys("", {});
    const chunk = keys.map((key) => key.replaceAll("/", ":")).find((key) => key.includes(":chunks:"));
    await storage.removeItem?.(chunk!, {});
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  });
});

describe("a driver of strings", () => {
  test("gets base64, as unstorage itself writes it", async () => {
    const storage = stringDriver();
    await createTestManager(api, { storage }).manager.prefetch(slug, version);
    expect([...storage.values.values()].every((value) => value.startsWith("base64:"))).toBe(true);
  });
});

describe("limits", () => {
  const limited = (maxValueBytes: number): StoreDriver => ({
    ...memoryAdapter(),
    capabilities: { completeListing: true, maxValueBytes },
  });
  test("chunks are no larger than the store's values may be", async () => {
    const storage = limited(300_000);
    const { manager } = createTestManager(api, { storage, chunkBytes: 4 * 1024 * 1024 });
    const info = await manager.prefetch(slug, version);
    const manifest = await readJson(storage, `balena-images:v1:images:${info.id}`);
    expect(manifest["chunkBytes"]).toBe(300_000);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  });

  test.each([256 * 1024 - 1, 65_536, 0, -1, Number.NaN])(
    "a store of values of %d bytes is no store for images",
    (bytes) => {
      const storage = limited(bytes);
      expect(() => createTestManager(api, { storage })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("262144") }),
      );
    },
  );

  test("two managers with other chunk sizes read each other's images", async () => {
    const storage = memoryAdapter();
    await createTestManager(api, { storage }).manager.prefetch(slug, version);
    const freshness = { maxAgeMs: 1e6 };
    const { manager } = createTestManager(api, { storage, freshness, chunkBytes: 1024 * 1024 });
    api.counters.reset();
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(api.counters.transfers).toBe(0);
  });
});

describe("no store at all", () => {
  test.each<[string, unknown, string]>([
    ["nothing", undefined, "must be an unstorage driver or storage"],
    ["null", null, "must be an unstorage driver or storage"],
    ["a text", "./images", "must be an unstorage driver or storage"],
    ["a Map", new Map(), "must be an unstorage driver or storage"],
    [
      "web storage",
      { getItem: () => null, setItem: () => {}, removeItem: () => {} },
      "must be an unstorage driver or storage",
    ],
    ["a read-only driver", { getItem: () => null, getKeys: () => [], hasItem: () => false }, "read-only"],
  ])("%s", (_, storage, message) => {
    const create = () =>
      createImageManager({
        source: scriptedUpstream({ respond: Response.error }).source,
        storage: storage as never,
      });
    expect(create).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(message) }),
    );
  });

  test("a directory that can't be made: the image is delivered, prefetch says STORE", async () => {
    const base = await newBase();
    await writeFile(`${base}/file`, "");
    const { manager, events } = createTestManager(api, {
      storage: fsAdapter({ base: `${base}/file/images` }),
    });
    const stream = await manager.get(slug, version);
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(await stream.committed()).toBeUndefined();
    expect(events.of("store-fault").length).toBeGreaterThan(0);
    const failure = await manager.prefetch(slug, version).catch((error) => error);
    expect(failure).toMatchObject({ code: "STORE", message: expect.stringMatching(/ENOTDIR/) });
    expect(await readdir(base)).toEqual(["file"]);
  });
});

test("what differs in one file shares the rest: dev and prod take no more than 0.55 of two files", async () => {
  const big = await startBalenaApi({ assets: false, imageBytes: 16 * 1024 * 1024 });
  try {
    const storage = memoryAdapter();
    const { manager } = createTestManager(big, { storage });
    await manager.prefetch(slug, version);
    await manager.prefetch(slug, version, { developmentMode: true });
    const storedBytes = await sizeOf(storage, await storage.getKeys("", {}));
    const files = [big.image(slug, version), big.image(slug, version, { developmentMode: true })];
    const nonZeroBytes = (await Promise.all(files.map((file) => file.content())))
      .map(nonZero)
      .reduce((a, b) => a + b);
    expect(storedBytes / nonZeroBytes).toBeLessThanOrEqual(0.55);
    expect(await keysOf(storage, "images")).toHaveLength(2);
    for (const [index, developmentMode] of [false, true].entries()) {
      const stream = await manager.get(slug, version, { developmentMode, cache: "only-if-cached" });
      expect((await collect(stream)).sha256).toBe(await files[index]!.sha256);
    }
  } finally {
    await big.close();
  }
});

async function sizeOf(storage: StoreDriver, keys: string[]): Promise<number> {
  const values = await Promise.all(keys.map((key) => storage.getItemRaw?.(key, {}) as Promise<Uint8Array>));
  return values.reduce((sum, value) => sum + value.length, 0);
}

/** Bytes outside of free space: pages of 4 KiB that are all zero count as free. */
function nonZero(bytes: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at += 4096) {
    const page = bytes.subarray(at, at + 4096);
    if (page.some((byte) => byte !== 0)) count += page.length;
  }
  return count;
}
