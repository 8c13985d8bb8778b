/** fetch's six cache modes, end to end: what each asks of the upstream, serves and stores. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { CacheMode, GetOptions, ImageManager } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024, downloads: "with-validators" });
const image = api.image(slug, version);
const maxAgeMs = 1000;

const get = async (manager: ImageManager, options: GetOptions, wanted = version) => {
  const stream = await manager.get(slug, wanted, options);
  const { sha256 } = await collect(stream);
  return { origin: stream.origin, sha256, info: await stream.committed() };
};

/** A manager with the image in its cache, `ageMs` old. */
async function filled(ageMs: number, options: TestManagerOptions = {}) {
  const made = createTestManager(api, { freshness: { maxAgeMs }, ...options });
  const before = await made.manager.prefetch(slug, version);
  made.clock.advance(ageMs);
  made.events.clear();
  api.counters.reset();
  return { ...made, before };
}

describe("with a copy", () => {
  test.each<[CacheMode, string, number, Partial<typeof api.counters>]>([
    ["default", "cache", 0, { requests: 0 }],
    ["default", "cache", maxAgeMs, { requests: 1, notModified: 1 }],
    ["no-cache", "cache", 0, { downloads: 1, notModified: 1 }],
    ["reload", "network", 0, { downloads: 1, transfers: 1 }],
    ["no-store", "network", 0, { downloads: 1, transfers: 1 }],
    ["force-cache", "cache", 100 * maxAgeMs, { requests: 0 }],
    ["only-if-cached", "cache", 100 * maxAgeMs, { requests: 0 }],
  ])("%s serves it from the %s at an age of %d", async (cache, origin, ageMs, counts) => {
    const { manager } = await filled(ageMs);
    const got = await get(manager, { cache });
    expect(got).toMatchObject({ origin, sha256: await image.sha256 });
    expect(api.counters).toMatchObject(counts);
  });

  test("no-cache and an old default copy become young by the upstream's word", async () => {
    const { manager, before, clock } = await filled(maxAgeMs);
    await get(manager, {});
    const after = await manager.inspect(slug, version);
    expect(after).toEqual({ ...before, validatedAt: new Date(clock.now()) });
    clock.advance(maxAgeMs - 1);
    api.counters.reset();
    await get(manager, {});
    expect(api.counters.requests).toBe(0);
  });

  test("reload replaces it", async () => {
    const { manager, clock, before } = await filled(500);
    api.faults.change = { content: true, validators: true };
    const { sha256, info } = await get(manager, { cache: "reload" });
    expect(sha256).toBe(await api.image(slug, version, {}, 1).sha256);
    expect(info).toMatchObject({ id: before.id, createdAt: new Date(clock.now()) });
    expect(info?.etag).not.toBe(before.etag);
    expect((await get(manager, { cache: "only-if-cached" })).sha256).toBe(sha256);
  });

  test("no-store leaves it as it is, even if the upstream has another", async () => {
    const storage = memoryAdapter();
    const { manager, before } = await filled(500, { storage });
    const keys = await storage.getKeys("balena-images:v1:chunks:", {});
    api.faults.change = { content: true, validators: true };
    const { sha256, info } = await get(manager, { cache: "no-store" });
    expect(sha256).toBe(await api.image(slug, version, {}, 1).sha256);
    expect(info).toBeUndefined();
    expect(await manager.inspect(slug, version)).toEqual(before);
    expect(await storage.getKeys("balena-images:v1:chunks:", {})).toEqual(keys);
  });

  test.each(["force-cache", "only-if-cached"] as const)(
    "%s finds an exact version without a look at what else is cached",
    async (cache) => {
      const storage = faultyDriver(memoryAdapter());
      const { manager } = await filled(0, { storage });
      storage.calls.length = 0;
      await get(manager, { cache });
      expect(storage.calls.filter(({ operation }) => operation === "getKeys")).toEqual([]);
    },
  );

  test("force-cache and only-if-cached take the best cached version for a range", async () => {
    const { manager } = await filled(0);
    await manager.prefetch(slug, "6.0.10");
    api.counters.reset();
    for (const cache of ["force-cache", "only-if-cached"] as const) {
      expect((await manager.get(slug, "~6.0.0", { cache })).version).toBe("6.0.10");
      expect((await manager.get(slug, "latest", { cache })).version).toBe(version);
    }
    expect(api.counters.requests).toBe(0);
  });
});

describe("without a copy", () => {
  test.each<CacheMode>(["default", "no-cache", "reload", "force-cache"])(
    "%s fetches and stores it",
    async (cache) => {
      const { manager } = createTestManager(api);
      const { origin, sha256, info } = await get(manager, { cache });
      expect({ origin, sha256 }).toEqual({ origin: "network", sha256: await image.sha256 });
      expect(await manager.inspect(slug, version)).toEqual(info);
    },
  );

  test("no-store fetches it and stores no byte of it", async () => {
    const storage = memoryAdapter();
    const { manager } = createTestManager(api, { storage });
    const { sha256, info } = await get(manager, { cache: "no-store" });
    expect(sha256).toBe(await image.sha256);
    expect(info).toBeUndefined();
    expect(await storage.getKeys("", {})).toEqual([]);
  });

  test.each([version, "^6.0.0", "latest"])("only-if-cached rejects for %s, asking nobody", async (wanted) => {
    const { manager } = createTestManager(api);
    const getting = manager.get(slug, wanted, { cache: "only-if-cached" });
    await expect(getting).rejects.toMatchObject({ code: "NOT_CACHED" });
    expect(api.counters.requests).toBe(0);
  });

  test("only-if-cached of another variant, version or scope rejects", async () => {
    const { manager } = await filled(0);
    for (const [wanted, options] of [
      [version, { developmentMode: true }],
      [version, { scope: "somebody" }],
      ["6.0.10", {}],
      ["^7.0.0", {}],
    ] as const) {
      const getting = manager.get(slug, wanted, { cache: "only-if-cached", ...options });
      await expect(getting).rejects.toMatchObject({ code: "NOT_CACHED" });
    }
  });
});
