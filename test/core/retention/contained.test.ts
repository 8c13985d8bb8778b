// Nothing outside the prefix is ever named to the store, by any operation; two prefixes live in peace; and values of another
// format version are not read.
import type { Driver } from "unstorage";
import { describe, expect, test } from "vitest";
import type { ImageManager, StoreDriver } from "../../../src/core/index.ts";
import { arrayOf, collect, rejection } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { read, write } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { lease, plainSource, readSome, settled, stores } from "../sharing/support.ts";

const api = await sharedApi({ imageBytes: 3 * chunkBytes, holeFree: true });
const { sha256 } = api.image(slug, version);
const raw = { fileType: ".img" } as const;
const digest = "ab".repeat(32);
const dayMs = 24 * 60 * 60 * 1000;

/** Keys that look like ours, or almost, and are not. */
const strangers = [
  "balena-images",
  "balena-image",
  "balena-image:v1:images:x",
  "balena-images2",
  "balena-images2:v1:images:x",
  `balena-images2:v1:chunks:ab:${digest}`,
  "balena-images-old:v1:images:x",
  "balena-images~:v1:images:x",
  "other:balena-images:v1:images:x",
  `other:balena-images:v1:chunks:ab:${digest}`,
  "Balena-Images:v1:images:x",
  "BALENA-IMAGES:V1:IMAGES:X",
  "BALENA-IMAGES",
  "v1:images:x",
  `v1:chunks:ab:${digest}`,
  "chunks",
];

interface Call {
  readonly operation: string;
  readonly key: string;
}

/** Writes down the first argument of every call of any method. */
function recording(driver: StoreDriver): { driver: StoreDriver; calls: Call[] } {
  const calls: Call[] = [];
  const recorded = Object.entries(driver).map(([operation, member]) => {
    if (typeof member !== "function") return [operation, member];
    const call = (...args: unknown[]) => {
      calls.push({ operation, key: String(args[0]) });
      return (member as (...args: unknown[]) => unknown).apply(driver, args);
    };
    return [operation, call];
  });
  return { driver: Object.fromEntries(recorded) as StoreDriver, calls };
}

const contents = async (storage: Driver, keys: readonly string[]) =>
  Promise.all(keys.map(async (key) => [key, String(await storage.getItem(key, {}))]));

/** A manager without look-ups upstream. */
const managerOver = (storage: Driver, options: TestManagerOptions = {}) =>
  createTestManager(api, { storage, source: plainSource(api), lease, ...options });

/** All that a manager can be asked. */
const operations: Record<string, (manager: ImageManager) => Promise<unknown>> = {
  get: async (manager) => collect(await manager.get(slug, version)),
  "get, cached": async (manager) => collect(await manager.get(slug, version)),
  "get a range": async (manager) =>
    collect(await manager.get(slug, version, { range: { start: 5, end: 9 } })),
  "get by range of versions": async (manager) => collect(await manager.get(slug, "^6.0.0")),
  "get only if cached": async (manager) =>
    collect(await manager.get(slug, version, { cache: "only-if-cached" })),
  reload: async (manager) => collect(await manager.get(slug, version, { cache: "reload" })),
  "no store": async (manager) => collect(await manager.get(slug, version, { cache: "no-store" })),
  prefetch: (manager) => manager.prefetch(slug, version, { developmentMode: true }),
  "leave half-way": async (manager) => {
    const stream = await manager.get(slug, version, raw);
    await readSome(stream, 1);
    await stream.cancel();
  },
  "take up": async (manager) => collect(await manager.get(slug, version, raw)),
  resolve: (manager) => manager.resolve(slug),
  versions: (manager) => manager.versions(slug),
  inspect: (manager) => manager.inspect(slug, version),
  isFresh: (manager) => manager.isFresh(slug, version),
  list: (manager) => arrayOf(manager.list()),
  pin: (manager) => manager.pin(slug, version),
  unpin: (manager) => manager.unpin(slug, version),
  verify: (manager) => manager.verify({ repair: true }),
  prune: (manager) => manager.prune({ unusedForMs: dayMs }),
  remove: (manager) => manager.remove(slug, version),
  "prune to nothing": (manager) => manager.prune({ maxBytes: 0 }),
  "prefetch again": (manager) => manager.prefetch(slug, version),
  cleanCache: (manager) => manager.cleanCache(),
  close: (manager) => manager.close(),
};

describe.each(stores)("over %s", (_, newStore) => {
  test("no call names a key outside the prefix, and no stranger is touched", async () => {
    const storage = await newStore();
    for (const key of strangers) await write(storage, key, `stranger ${key}`);
    const before = await contents(storage, strangers);
    const { driver, calls } = recording(storage);
    const { manager, clock } = managerOver(driver, { maxBytes: 100 * chunkBytes });
    for (const [name, operate] of Object.entries(operations)) {
      const seen = calls.length;
      await operate(manager);
      const named = calls.slice(seen);
      expect(
        named.filter(({ key }) => !key.startsWith("balena-images:")),
        name,
      ).toEqual([]);
      expect(
        named.map(({ operation }) => operation),
        name,
      ).not.toContain("clear");
      clock.advance(60 * 60 * 1000);
    }
    expect(calls.length).toBeGreaterThan(100);
    expect(await contents(storage, strangers)).toEqual(before);
    expect((await storage.getKeys("", {})).sort()).toEqual([...strangers].sort());
  });

  test("a store that lists more than it is asked for loses nothing but what is ours", async () => {
    const storage = await newStore();
    for (const key of strangers) await write(storage, key, `stranger ${key}`);
    const before = await contents(storage, strangers);
    const { driver, calls } = recording({ ...storage, getKeys: () => storage.getKeys("", {}) });
    const { manager, clock } = managerOver(driver);
    for (const [name, operate] of Object.entries(operations)) {
      await operate(manager);
      clock.advance(60 * 60 * 1000);
      expect(await contents(storage, strangers), name).toEqual(before);
    }
    expect(calls.filter(({ key }) => !key.startsWith("balena-images:"))).toEqual([]);
    expect((await storage.getKeys("", {})).sort()).toEqual([...strangers].sort());
  });

  test("keeping house under one prefix leaves the other whole", async () => {
    const storage = await newStore();
    const [one, two] = ["team", "team2"].map((prefix) => managerOver(storage, { prefix })) as [
      ReturnType<typeof managerOver>,
      ReturnType<typeof managerOver>,
    ];
    const keep = async () => {
      const keys = await storage.getKeys("team2:", {});
      return contents(storage, keys.sort());
    };
    await two.manager.prefetch(slug, version);
    const whole = await keep();
    for (const [name, operate] of Object.entries(operations)) {
      await operate(one.manager);
      one.clock.advance(60 * 60 * 1000);
      expect(await keep(), name).toEqual(whole);
    }
    expect(await storage.getKeys("team:", {})).toEqual([]);
    api.counters.reset();
    const cached = await two.manager.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(cached)).sha256).toBe(await sha256);
    expect(api.counters.requests).toBe(0);
  });

  test.each(["v0", "v2", "v10", "V1"])(
    "%s: values of another format are a miss, not read, and deleted by cleanCache alone",
    async (format) => {
      const storage = await newStore();
      await managerOver(storage).manager.prefetch(slug, version);
      const others: string[] = [];
      for (const key of await storage.getKeys("balena-images:", {})) {
        const other = key.replace(":v1:", `:${format}:`);
        await write(storage, other, await read(storage, key));
        await storage.removeItem?.(key, {});
        others.push(other);
      }
      const { driver, calls } = recording(storage);
      const { manager } = managerOver(driver);
      const cached = manager.get(slug, version, { cache: "only-if-cached" });
      expect(await rejection(cached)).toMatchObject({ code: "NOT_CACHED" });
      expect(await arrayOf(manager.list())).toEqual([]);
      const stream = await manager.get(slug, version);
      expect(stream.origin).toBe("network");
      expect((await collect(stream)).sha256).toBe(await sha256);
      await manager.verify({ repair: true });
      await manager.prune({ maxBytes: 0 });
      await settled(api, storage);
      expect(calls.filter(({ key }) => !key.startsWith("balena-images:v1:"))).toEqual([]);
      expect(await storage.getKeys(`balena-images:${format}:`, {})).toHaveLength(others.length);
      await manager.cleanCache();
      expect(await storage.getKeys("", {})).toEqual([]);
    },
  );
});
