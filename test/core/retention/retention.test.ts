// remove, pin, prune and maxBytes end to end, over a memory store and the loopback API.
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageInfo, ImageManager } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const imageBytes = 8 * chunkBytes;
const api = await sharedApi({ imageBytes, holeFree: true });
const hourMs = 60 * 60 * 1000;

async function infos(manager: ImageManager): Promise<ImageInfo[]> {
  const found = [];
  for await (const info of manager.list()) if (info.isComplete) found.push(info);
  return found.sort((a, b) => Number(a.lastUsedAt) - Number(b.lastUsedAt));
}

const versions = async (manager: ImageManager) => (await infos(manager)).map((info) => info.version).sort();

/** Keys of chunks in a store. */
async function chunkKeys(storage: ReturnType<typeof memoryAdapter>): Promise<string[]> {
  return storage.getKeys("balena-images:v1:chunks:", {});
}

describe("remove", () => {
  test("deletes the image and the chunks that no other needs", async () => {
    const storage = memoryAdapter();
    const { manager } = createTestManager(api, { storage });
    await manager.prefetch(slug, version);
    await manager.prefetch(slug, version, { developmentMode: true });
    const both = (await chunkKeys(storage)).length;
    expect(both).toBeLessThan(16); // development shares most of production
    expect(await manager.remove(slug, version, { developmentMode: true })).toBe(true);
    expect((await chunkKeys(storage)).length).toBe(8);
    expect(await manager.remove(slug, version, { developmentMode: true })).toBe(false);
    const image = await manager.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(image)).sha256).toBe(await api.image(slug, version).sha256);
    expect(await manager.remove(slug, version)).toBe(true);
    expect(await chunkKeys(storage)).toEqual([]);
  });

  test("spares a stream that is being read", async () => {
    const storage = memoryAdapter();
    const { manager } = createTestManager(api, { storage });
    await manager.prefetch(slug, version);
    const image = await manager.get(slug, version);
    api.counters.reset();
    expect(await manager.remove(slug, version)).toBe(true);
    expect((await collect(image)).sha256).toBe(await api.image(slug, version).sha256);
    expect(api.counters.transfers).toBe(0);
    expect(await manager.inspect(slug, version)).toBeUndefined();
  });
});

describe("maxBytes", () => {
  test("is kept by evicting the least recently used, never a pinned one", async () => {
    const { manager, clock, events } = createTestManager(api, { maxBytes: 2.5 * imageBytes });
    for (const wanted of ["6.1.0", "6.0.10", "2.88.4+rev1"]) {
      await manager.prefetch(slug, wanted);
      if (wanted === "6.1.0") await manager.pin(slug, wanted);
      clock.advance(hourMs);
      const stored = (await infos(manager)).reduce((sum, info) => sum + (info.ownBytes ?? 0), 0);
      expect(stored).toBeLessThanOrEqual(2.5 * imageBytes);
    }
    expect(await versions(manager)).toEqual(["2.88.4+rev1", "6.1.0"]);
    expect(events.of("evicted")).toMatchObject([{ freedBytes: imageBytes }]);
  });

  test("a use counts, not only the download", async () => {
    const { manager, clock } = createTestManager(api, { maxBytes: 2.5 * imageBytes });
    await manager.prefetch(slug, "6.1.0");
    clock.advance(hourMs);
    await manager.prefetch(slug, "6.0.10");
    clock.advance(hourMs);
    await collect(await manager.get(slug, "6.1.0"));
    clock.advance(hourMs);
    await manager.prefetch(slug, "2.88.4+rev1");
    expect(await versions(manager)).toEqual(["2.88.4+rev1", "6.1.0"]);
  });

  test("an image that does not fit is delivered, not stored, and leaves nothing", async () => {
    const storage = memoryAdapter();
    const { manager, clock } = createTestManager(api, { storage, maxBytes: imageBytes / 2 });
    const image = await manager.get(slug, version);
    expect((await collect(image)).sha256).toBe(await api.image(slug, version).sha256);
    expect(await image.committed()).toBeUndefined();
    expect(await rejection(manager.prefetch(slug, version))).toMatchObject({ code: "STORE" });
    expect(await versions(manager)).toEqual([]);
    await manager.prune();
    clock.advance(2 * hourMs);
    await manager.prune();
    expect(await chunkKeys(storage)).toEqual([]);
  });

  test("nothing is evicted for an image that does not fit next to the pinned ones", async () => {
    const { manager } = createTestManager(api, { maxBytes: 1.5 * imageBytes });
    await manager.prefetch(slug, "6.1.0");
    await manager.pin(slug, "6.1.0");
    expect(await rejection(manager.prefetch(slug, "6.0.10"))).toMatchObject({ code: "STORE" });
    expect(await versions(manager)).toEqual(["6.1.0"]);
  });
});

describe("prune", () => {
  test("evicts what was unused for too long", async () => {
    const { manager, clock } = createTestManager(api);
    await manager.prefetch(slug, "6.1.0");
    clock.advance(2 * hourMs);
    await manager.prefetch(slug, "6.0.10");
    const report = await manager.prune({ unusedForMs: hourMs });
    expect(report).toMatchObject({ freedBytes: imageBytes, orphans: 0, partials: 0, leases: 0 });
    expect(report.evicted).toHaveLength(1);
    expect(await versions(manager)).toEqual(["6.0.10"]);
  });

  test("sweeps orphans when it sees them twice, an hour apart", async () => {
    const storage = memoryAdapter();
    const { manager, clock } = createTestManager(api, { storage });
    await manager.prefetch(slug, version);
    const digest = "ab".repeat(32);
    await storage.setItemRaw?.(`balena-images:v1:chunks:ab:${digest}`, new Uint8Array(10), {});
    expect((await manager.prune()).orphans).toBe(0);
    expect((await manager.prune()).orphans).toBe(0);
    clock.advance(hourMs);
    expect((await manager.prune()).orphans).toBe(1);
    expect((await chunkKeys(storage)).length).toBe(8);
    expect(await storage.getKeys("balena-images:v1:orphans", {})).toEqual([]);
  });

  test("forgets a transfer that did not end after a day, and not before", async () => {
    const storage = memoryAdapter();
    const { manager, clock } = createTestManager(api, { storage });
    stallNext(api); // until its client leaves
    for await (const _ of await manager.get(slug, version, { fileType: ".img" })) break;
    await eventually(async () => expect(await storage.getKeys("balena-images:v1:leases:", {})).toEqual([]));
    const before = await storage.getKeys("balena-images:v1:partials:", {});
    expect(before.length).toBeGreaterThan(0);
    expect((await manager.prune()).partials).toBe(0);
    clock.advance(25 * hourMs);
    const { partials, freedBytes } = await manager.prune();
    expect(partials).toBe(1);
    expect(freedBytes).toBeGreaterThan(0);
    expect(await chunkKeys(storage)).toEqual([]);
  });

  test("wants a store that lists completely, and sound limits", async () => {
    const { capabilities: _, ...plain } = memoryAdapter();
    const { manager } = createTestManager(api, { storage: plain });
    expect(await rejection(manager.prune())).toMatchObject({ code: "LISTING_INCOMPLETE" });
    expect(await rejection(manager.verify())).toMatchObject({ code: "LISTING_INCOMPLETE" });
    expect(() => createTestManager(api, { storage: plain, maxBytes: 1 })).toThrow(/completeListing/);
    const whole = createTestManager(api).manager;
    expect(await rejection(whole.prune({ maxBytes: -1 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("pin", () => {
  test("is kept by a refresh, and taken back by unpin", async () => {
    const { manager } = createTestManager(api);
    expect(await manager.pin(slug, version)).toBe(false);
    await manager.prefetch(slug, version);
    expect(await manager.pin(slug, version)).toBe(true);
    await manager.prefetch(slug, version, { cache: "reload" });
    expect(await manager.inspect(slug, version)).toMatchObject({ pinned: true });
    expect((await manager.prune({ maxBytes: 0 })).evicted).toEqual([]);
    expect(await manager.unpin(slug, version)).toBe(true);
    expect((await manager.prune({ maxBytes: 0 })).evicted).toHaveLength(1);
  });
});

describe("list", () => {
  test("says what an image shares and how far an unfinished one has come", async () => {
    const { manager } = createTestManager(api);
    await manager.prefetch(slug, version);
    await manager.prefetch(slug, version, { developmentMode: true });
    const found = await infos(manager);
    for (const info of found) {
      expect((info.ownBytes ?? 0) + (info.sharedBytes ?? 0)).toBe(imageBytes);
      expect(info.sharedBytes).toBeGreaterThan(info.ownBytes ?? 0);
    }
    stallNext(api); // until its client leaves
    for await (const _ of await manager.get(slug, "6.0.10", { fileType: ".img" })) break;
    await eventually(async () => {
      const unfinished = [];
      for await (const info of manager.list()) if (!info.isComplete) unfinished.push(info);
      expect(unfinished).toMatchObject([
        { version: "6.0.10", size: imageBytes, variant: { fileType: ".img" } },
      ]);
    });
  });
});

describe("prune sweeps what nobody is ever going to take up", () => {
  const partial = (id: string, rest: string) => `balena-images:v1:partials:${id}:${rest}`;
  const others = ["images", "leases", "uses"].map((kind) => `balena-images:v1:${kind}:`);

  test("a journal and a lease from the future", async () => {
    const storage = memoryAdapter();
    const { manager, clock } = createTestManager(api, { storage });
    clock.advance(10 * 24 * hourMs); // the clock of the one that writes them is ahead
    api.faults.stall = { atPercent: 50 };
    const stream = await manager.get(slug, version, { fileType: ".img" });
    await stream.getReader().read();
    await manager.close();
    const renewedAt = clock.now();
    const lease = new TextEncoder().encode(JSON.stringify({ owner: "dead", beat: 1, renewedAt }));
    await storage.setItemRaw?.(`${others[1]}a~1~b:1`, lease, {});
    const sober = createTestManager(api, { storage });
    expect(await sober.manager.prune()).toMatchObject({ partials: 1, leases: 1 });
    expect(await storage.getKeys("balena-images:v1:partials:", {})).toEqual([]);
    expect(await chunkKeys(storage)).toEqual([]);
  });

  test("keys among the journals that are none of a journal's", async () => {
    const storage = memoryAdapter();
    const { manager } = createTestManager(api, { storage });
    await manager.prefetch(slug, version);
    const stray = [
      partial("a~1~b", "x:0"),
      partial("a~1~b", "0:0"),
      partial("a~1~b", "99999999999:0"),
      partial("a~1~b", "1"),
    ];
    for (const key of stray) await storage.setItemRaw?.(key, new Uint8Array(3), {});
    await manager.prune();
    expect(await storage.getKeys("balena-images:v1:partials:", {})).toEqual([]);
    expect(await versions(manager)).toEqual([version]);
  });
});
