/** unstorage's own drivers with their quirks: right bytes from whatever they do to a value, or a clear error. */
import { mkdir, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { createStorage, type Driver } from "unstorage";
import fsDriver from "unstorage/drivers/fs";
import fsLiteDriver from "unstorage/drivers/fs-lite";
import lruCacheDriver from "unstorage/drivers/lru-cache";
import memoryDriver from "unstorage/drivers/memory";
import nullDriver from "unstorage/drivers/null";
import overlayDriver from "unstorage/drivers/overlay";
import { describe, expect, test } from "vitest";
import { collect, rejection } from "../support/collect.ts";
import { newBase } from "../support/fs-store.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 5 * 256 * 1024 });
const sha256 = await api.image(slug, version).sha256;
const managerOver = (storage: Driver) => createTestManager(api, { storage, freshness: { maxAgeMs: 1000 } });

async function expectRightBytes(manager: ReturnType<typeof managerOver>["manager"], rounds = 3) {
  for (let round = 0; round < rounds; round++)
    expect(await collect(await manager.get(slug, version))).toMatchObject({ sha256 });
}

describe("overlay", () => {
  // It knows no raw values: what a layer was given raw comes out as another layer's text, or not at all, and is a miss.
  const layers: [string, () => Promise<[Driver, Driver]>][] = [
    ["memory over memory", async () => [memoryDriver(), memoryDriver()]],
    ["memory over fs", async () => [memoryDriver(), fsDriver({ base: await newBase() })]],
    [
      "fs over fs-lite",
      async () => [fsDriver({ base: await newBase() }), fsLiteDriver({ base: await newBase() })],
    ],
  ];

  test.each(layers)("of %s gives right bytes, from a lower layer too", async (_, create) => {
    const [upper, lower] = await create();
    await managerOver(lower).manager.prefetch(slug, version);
    const { manager, events } = managerOver(overlayDriver({ layers: [upper, lower] }));
    await expectRightBytes(manager);
    expect(events.of("store-fault")).toEqual([]);
    const fresh = managerOver(overlayDriver({ layers: [upper, lower] }));
    await expectRightBytes(fresh.manager);
  });

  test.each(layers)(
    "of %s is empty after cleanCache, though the lower layer keeps what it had",
    async (_, create) => {
      const [upper, lower] = await create();
      await managerOver(lower).manager.prefetch(slug, version);
      const overlay = overlayDriver({ layers: [upper, lower] });
      const { manager } = managerOver(overlay);
      await manager.cleanCache();
      expect(await overlay.getKeys("", {})).toEqual([]);
      expect(await manager.inspect(slug, version)).toBe(undefined);
      await expectRightBytes(manager);
    },
  );
});

describe("a driver that keeps nothing, and says nothing", () => {
  const drivers: [string, () => Promise<Driver>][] = [
    ["null", async () => nullDriver()],
    ["fs, read-only", async () => fsDriver({ base: await newBase(), readOnly: true })],
    ["fs-lite, read-only", async () => fsLiteDriver({ base: await newBase(), readOnly: true })],
    ["lru-cache of small entries", async () => lruCacheDriver({ maxSize: 2 ** 20, maxEntrySize: 1000 })],
  ];

  test.each(drivers)("%s: every get delivers", async (_, create) => {
    await expectRightBytes(managerOver(await create()).manager);
  });

  test.each(drivers)("%s: prefetch rejects, for there is nothing to have later", async (_, create) => {
    const { manager } = managerOver(await create());
    expect(await rejection(manager.prefetch(slug, version))).toMatchObject({ code: "STORE" });
  });
});

describe("lru-cache", () => {
  test("that holds four values of an image delivers it all the same", async () => {
    await expectRightBytes(managerOver(lruCacheDriver({ max: 4 })).manager);
  });

  test("hands out copies: what a consumer does to its bytes reaches nobody", async () => {
    const { manager } = managerOver(lruCacheDriver({}));
    for (let round = 0; round < 2; round++) {
      for await (const piece of await manager.get(slug, version)) piece.fill(0xee);
    }
    await expectRightBytes(manager);
  });
});

describe.each([
  ["fs", (base: string) => fsDriver({ base })],
  ["fs-lite", (base: string) => fsLiteDriver({ base })],
] as const)("%s", (_, create) => {
  test("that was killed while it wrote leaves short files: chunks are healed, a manifest is a miss", async () => {
    const base = await newBase();
    await managerOver(create(base)).manager.prefetch(slug, version);
    const files = await readdir(base, { recursive: true, withFileTypes: true });
    const cut = async (folder: string) => {
      const found = files.filter((file) => file.isFile() && file.parentPath.includes(join("v1", folder)));
      for (const { parentPath, name } of found) await truncate(join(parentPath, name), 100);
      return found.length;
    };
    expect(await cut("chunks")).toBeGreaterThan(2);
    await expectRightBytes(managerOver(create(base)).manager);
    expect(await cut("images")).toBe(1);
    await expectRightBytes(managerOver(create(base)).manager);
  });

  test("whose directories are blocked by a file delivers, and prefetch says why it stores nothing", async () => {
    const base = await newBase();
    const driver = create(base);
    await driver.setItem?.("balena-images", "a file where a directory has to be", {});
    const { manager, events } = managerOver(driver);
    await expectRightBytes(manager, 1);
    expect(events.types()).toContain("store-fault");
    expect(await rejection(manager.prefetch(slug, version))).toMatchObject({ code: "STORE" });
  });

  test("below a node_modules, where it may list nothing, still serves what it has", async () => {
    const base = join(await newBase(), "node_modules", "cache");
    await mkdir(base, { recursive: true });
    const { manager } = managerOver(create(base));
    await manager.prefetch(slug, version);
    api.counters.reset();
    expect((await manager.get(slug, version)).origin).toBe("cache");
    await expectRightBytes(manager);
    expect(api.counters.transfers).toBe(0);
  });
});

describe("the capabilities of a plain driver are stated next to it", () => {
  const capabilities = { completeListing: true, maxValueBytes: 300_000 };

  test("a larger value is then never written, and limits that need a listing work", async () => {
    const driver = memoryDriver();
    const { manager } = createTestManager(api, {
      storage: { ...driver, capabilities } as Driver,
      chunkBytes: 2 ** 20,
      maxBytes: 2 ** 24,
    });
    await manager.prefetch(slug, version);
    const values = await Promise.all(
      (await driver.getKeys("", {})).map((key: string) => driver.getItemRaw?.(key, {})),
    );
    const sizes = values.map((value: unknown) => (value as Uint8Array).length);
    expect(Math.max(...sizes)).toBe(300_000);
    await expectRightBytes(manager);
  });

  test("without it, a limit that needs a listing is refused", () => {
    expect(() => createTestManager(api, { storage: createStorage(), maxBytes: 2 ** 24 })).toThrow(
      expect.objectContaining({ code: "LISTING_INCOMPLETE" }),
    );
  });
});
