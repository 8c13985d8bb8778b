/** `cleanCache` and `close`: what they end, and what they leave alone. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { arrayOf, collect, rejection } from "../support/collect.ts";
import { faultyDriver } from "../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { stallNext } from "../support/stall.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const keysOf = (storage: ReturnType<typeof memoryAdapter>, start = "") => storage.getKeys(start, {});

describe("cleanCache", () => {
  test("deletes everything under the prefix and no stranger around it", async () => {
    const storage = memoryAdapter();
    const strangers = ["balena-images2:v1:images:x", "balena-image", "other", "a:balena-images:v1:images:x"];
    for (const key of strangers) await storage.setItemRaw?.(key, new Uint8Array(3), {});
    const { manager } = createTestManager(api, { storage });
    await manager.prefetch(slug, version);
    expect((await keysOf(storage)).length).toBeGreaterThan(strangers.length + 5);
    await manager.cleanCache();
    expect((await keysOf(storage)).sort()).toEqual([...strangers].sort());
    expect(await manager.inspect(slug, version)).toBeUndefined();
  });

  test("of one prefix leaves the other whole", async () => {
    const storage = memoryAdapter();
    const one = createTestManager(api, { storage, prefix: "team" }).manager;
    const two = createTestManager(api, { storage, prefix: "team-2:images" }).manager;
    await one.prefetch(slug, version);
    const info = await two.prefetch(slug, version);
    await one.cleanCache();
    expect(await keysOf(storage, "team:")).toEqual([]);
    api.counters.reset();
    const stream = await two.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(stream)).sha256).toBe(await api.image(slug, version).sha256);
    expect(await two.inspect(slug, version)).toEqual(info);
    expect(api.counters.requests).toBe(0);
  });

  test("copes with a store that lists a few keys at a time", async () => {
    const storage = memoryAdapter();
    const listFew = {
      ...storage,
      capabilities: { completeListing: false },
      getKeys: async (base?: string) => (await keysOf(storage, base)).slice(0, 4),
    };
    const { manager } = createTestManager(api, { storage: listFew });
    await manager.prefetch(slug, version);
    await manager.cleanCache();
    expect(await keysOf(storage)).toEqual([]);
  });

  test("asks a store with batches once for each thousand keys, manifests first", async () => {
    const storage = memoryAdapter();
    const batches: string[][] = [];
    const inBatches = {
      ...storage,
      removeItem: () => Promise.reject(new Error("one by one")),
      removeItems: async (keys: readonly string[]) => {
        batches.push([...keys]);
        await Promise.all(keys.map((key) => storage.removeItem?.(key, {})));
        return [];
      },
    };
    const chunks = Array.from({ length: 2_500 }, (_, index) => `balena-images:v1:chunks:00:${index}`);
    for (const key of [...chunks, "balena-images:v1:images:x"])
      await storage.setItemRaw?.(key, new Uint8Array(1), {});
    await createTestManager(api, { storage: inBatches }).manager.cleanCache();
    expect(await keysOf(storage)).toEqual([]);
    expect(batches.map(({ length }) => length)).toEqual([1, 1_000, 1_000, 500]);
    expect(batches[0]).toEqual(["balena-images:v1:images:x"]);
  });

  test("lets a running transfer deliver, but not commit", async () => {
    const storage = memoryAdapter();
    const { manager } = createTestManager(api, { storage });
    const goOn = stallNext(api);
    const stream = await manager.get(slug, version);
    await manager.cleanCache();
    goOn();
    expect((await collect(stream)).sha256).toBe(await api.image(slug, version).sha256);
    expect(await stream.committed()).toBeUndefined();
    expect(await keysOf(storage, "balena-images:v1:images:")).toEqual([]);
    expect(await keysOf(storage, "balena-images:v1:chunks:")).toEqual([]);
  });

  test("waits for a commit that is under way, and deletes it", async () => {
    const storage = memoryAdapter();
    const gate = Promise.withResolvers<void>();
    const held = faultyDriver(storage, { operation: "setItemRaw", key: /:images:/, does: gate.promise });
    const { manager } = createTestManager(api, { storage: held });
    const reading = manager.get(slug, version).then(collect);
    const isCommitting = () =>
      held.calls.some(({ key, operation }) => operation === "setItemRaw" && /:images:/.test(key));
    await expect.poll(isCommitting).toBe(true);
    held.calls.splice(0);
    const cleaning = manager.cleanCache();
    // By then a later get has read the store: what did not wait for the commit would have listed the keys.
    await collect(await manager.get(slug, "6.0.10", { cache: "no-store" }));
    expect(held.calls.filter(({ operation }) => operation === "getKeys")).toEqual([]);
    gate.resolve();
    await Promise.all([reading, cleaning]);
    expect(await keysOf(storage)).toEqual([]);
  });

  test("waits for what is noted in the background, and deletes it", async () => {
    const storage = faultyDriver(memoryAdapter());
    const { manager } = createTestManager(api, { storage });
    await manager.prefetch(slug, version);
    const noted = Promise.withResolvers<void>();
    storage.faults.push({ operation: "setItemRaw", key: /:(images|uses):/, does: noted.promise });
    await collect(await manager.get(slug, version));
    const isNoting = () =>
      storage.calls.some(({ operation, key }) => operation === "setItemRaw" && key.includes(":images:"));
    await expect.poll(isNoting).toBe(true);
    const cleaned = manager.cleanCache();
    noted.resolve();
    await cleaned;
    await manager.close();
    expect(await keysOf(storage)).toEqual([]);
  });

  test.each(["throw", "nothing", "error"] as const)(
    "rejects if keys stay: the store's delete does %s",
    async (does) => {
      const storage = faultyDriver(memoryAdapter(), { operation: "removeItem", key: /:chunks:/, does });
      const { manager } = createTestManager(api, { storage });
      await manager.prefetch(slug, version);
      await expect(manager.cleanCache()).rejects.toMatchObject({ code: "STORE" });
    },
  );
});

describe("close", () => {
  const calls = (manager: ReturnType<typeof createTestManager>["manager"]) => ({
    get: () => manager.get(slug),
    prefetch: () => manager.prefetch(slug),
    resolve: () => manager.resolve(slug),
    versions: () => manager.versions(slug),
    inspect: () => manager.inspect(slug, version),
    isFresh: () => manager.isFresh(slug, version),
    list: () => arrayOf(manager.list()),
    remove: () => manager.remove(slug, version),
    pin: () => manager.pin(slug, version),
    unpin: () => manager.unpin(slug, version),
    prune: () => manager.prune(),
    verify: () => manager.verify(),
    cleanCache: () => manager.cleanCache(),
  });
  const names = Object.keys(calls({} as never)) as (keyof ReturnType<typeof calls>)[];

  test.each(names)("%s rejects after it", async (name) => {
    const { manager } = createTestManager(api);
    await manager.close();
    const failure = await rejection(calls(manager)[name]());
    expect(failure).toMatchObject({ code: "CLOSED", name: "ClosedError" });
    expect(api.counters.requests).toBe(0);
  });

  test("ends streams and transfers, and closes their connections", async () => {
    const { manager } = createTestManager(api);
    const cached = await manager.prefetch(slug, version).then(() => manager.get(slug, version));
    api.faults.stall = { atPercent: 50 };
    const running = await manager.get(slug, "6.0.10");
    const read = rejection(collect(running));
    await manager.close();
    expect(await read).toMatchObject({ code: "CLOSED" });
    expect(await rejection(collect(cached))).toMatchObject({ code: "CLOSED" });
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });

  test("may come twice, and by `await using`", async () => {
    const { manager } = createTestManager(api);
    await Promise.all([manager.close(), manager.close()]);
    const other = createTestManager(api).manager;
    {
      await using images = other;
      await images.resolve(slug);
    }
    await expect(other.resolve(slug)).rejects.toMatchObject({ code: "CLOSED" });
  });
});
