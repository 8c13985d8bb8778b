// The disk is what was promised: partials, oversized images and what is being written count against `maxBytes`.
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { startBalenaApi } from "../../support/balena-api/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { createTestHandler } from "../http/support.ts";
import { keysOf, lease, processOver, readSome, settled } from "../sharing/support.ts";

const chunks = 16;
const imageBytes = chunks * chunkBytes;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const raw = { fileType: ".img" } as const;
const versions = ["6.1.0", "6.0.10", "2.88.4+rev1"];

/** A store that knows the most bytes of chunks that it ever held; and is full at `capacity`, as a disk is. */
function meteredStore(capacity = Number.POSITIVE_INFINITY) {
  const driver = memoryAdapter();
  const sizes = new Map<string, number>();
  const meter = { usedBytes: 0, mostBytes: 0, capacity };
  const isChunk = (key: string) => key.includes(":chunks:");
  const account = (key: string, bytes: number) => {
    if (!isChunk(key)) return;
    const usedBytes = meter.usedBytes + bytes - (sizes.get(key) ?? 0);
    if (usedBytes > meter.capacity)
      throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    sizes.set(key, bytes);
    meter.usedBytes = usedBytes;
    meter.mostBytes = Math.max(meter.mostBytes, usedBytes);
  };
  const storage: StoreDriver = {
    ...driver,
    setItemRaw: async (key: string, value: Uint8Array) => {
      account(key, value.length);
      await driver.setItemRaw?.(key, value, {});
    },
    removeItem: async (key: string) => {
      await driver.removeItem?.(key, {});
      account(key, 0);
    },
  };
  return { storage, meter };
}

const idle = (storage: StoreDriver) => settled(api, storage);

describe("anonymous clients of the handler", () => {
  const maxBytes = 1.25 * imageBytes;
  const paths = versions.flatMap((of) =>
    ["", "?fileType=.img", "?developmentMode=true", "?developmentMode=true&fileType=.img"].map(
      (query) => `/images/${slug}/${encodeURIComponent(of)}${query}`,
    ),
  );

  test.each([
    ["one after the other", 1],
    ["all at once", paths.length],
  ])("that leave at 90 %%, %s, leave no more than `maxBytes`", async (_, atATime) => {
    const { storage, meter } = meteredStore();
    const { send } = createTestHandler(api, { storage, maxBytes });
    const leave = async (path: string) => {
      const { body } = await send(path);
      const reader = body!.getReader();
      for (let read = 0; read < 0.9 * imageBytes; ) read += (await reader.read()).value?.length ?? imageBytes;
      await reader.cancel();
    };
    for (let next = 0; next < paths.length; next += atATime)
      await Promise.all(paths.slice(next, next + atATime).map(leave));
    await idle(storage);
    expect(paths).toHaveLength(12);
    expect(meter.mostBytes).toBeGreaterThan(imageBytes / 2);
    expect(meter.mostBytes).toBeLessThanOrEqual(maxBytes);
  });

  test.each([
    ["one after the other", 1],
    ["all at once", paths.length],
  ])("that get images above `maxBytes`, %s, get them whole and leave nothing", async (_, atATime) => {
    const { storage, meter } = meteredStore();
    const cap = imageBytes / 2;
    const { send, manager } = createTestHandler(api, { storage, maxBytes: cap });
    const get = async (path: string) => (await collect((await send(path)).body!)).bytes;
    for (let next = 0; next < paths.length; next += atATime) {
      const lengths = await Promise.all(paths.slice(next, next + atATime).map(get));
      expect(lengths).toEqual(lengths.map(() => imageBytes));
    }
    await eventually(() => expect(meter.usedBytes).toBe(0));
    expect(meter.mostBytes).toBeLessThanOrEqual(cap);
    await manager.close();
    expect(await keysOf(storage, /:(chunks|partials|leases|images):/)).toEqual([]);
  });
});

test("an image above `maxBytes` takes no other image with it, if the upstream says its size", async () => {
  const { storage } = meteredStore();
  const large = await startBalenaApi({ assets: false, imageBytes: 3 * imageBytes, holeFree: true });
  try {
    const { manager } = processOver(api, { storage, maxBytes: 2 * imageBytes });
    await manager.prefetch(slug, version);
    const other = processOver(large, { storage, maxBytes: 2 * imageBytes });
    expect(await rejection(other.manager.prefetch(slug, version, raw))).toMatchObject({ code: "STORE" });
    expect(await manager.inspect(slug, version)).toMatchObject({ isComplete: true });
  } finally {
    await large.close();
  }
});

test("partials go before images, the oldest first, and one that is under way not at all", async () => {
  const { storage, meter } = meteredStore();
  const kit = createTestManager(api, { storage, lease, maxBytes: 3 * imageBytes });
  await kit.manager.prefetch(slug, "6.1.0");
  api.faults.stall = { atPercent: 80 };
  for (const [index, of] of ["6.0.10", "2.88.4+rev1"].entries()) {
    kit.clock.advance(1000);
    const stream = await kit.manager.get(slug, of, raw);
    await readSome(stream, (index + 8) * chunkBytes);
    await stream.cancel();
    await idle(storage);
  }
  const partialsOf = async () =>
    [...new Set((await keysOf(storage, /:partials:/)).map((key) => /~([^~]+)~/.exec(key)?.[1]))].sort();
  expect(await partialsOf()).toEqual(["2.88.4_rev1", "6.0.10"]);
  api.faults.reset();
  await kit.manager.prefetch(slug, "6.0.10", { developmentMode: true, ...raw });
  expect(meter.usedBytes).toBeLessThanOrEqual(3 * imageBytes);
  expect(await kit.manager.inspect(slug, "6.1.0")).toMatchObject({ isComplete: true });
  expect(await partialsOf()).not.toContain("6.0.10");
});

describe("a full disk", () => {
  test("keeps nothing of an image that it has no room for, and caches again once there is room", async () => {
    const { storage, meter } = meteredStore(imageBytes / 2);
    const { manager, events } = processOver(api, { storage });
    expect((await collect(await manager.get(slug, version))).bytes).toBe(imageBytes);
    await eventually(() => expect(meter.usedBytes).toBe(0));
    expect(String(events.of("store-fault")[0]?.cause)).toMatch(/ENOSPC/);
    expect(await keysOf(storage, /:(partials|images):/)).toEqual([]);
    meter.capacity = imageBytes;
    expect(await manager.prefetch(slug, version)).toMatchObject({ size: imageBytes });
    expect((await manager.get(slug, version)).origin).toBe("cache");
  });

  test("leaves what another image shares with the one that it has no room for", async () => {
    const { storage, meter } = meteredStore(imageBytes + 1);
    const { manager } = processOver(api, { storage });
    await manager.prefetch(slug, version);
    await rejection(manager.prefetch(slug, version, { developmentMode: true })); // shares most of it
    await eventually(() => expect(meter.usedBytes).toBe(imageBytes));
    expect(await manager.verify()).toMatchObject({ damaged: [] });
  });
});

describe("what is left of a transfer", () => {
  async function withPartial() {
    const { storage, meter } = meteredStore();
    const kit = processOver(api, { storage });
    const stream = await kit.manager.get(slug, version, raw);
    await readSome(stream, 8 * chunkBytes);
    await stream.cancel();
    await idle(storage);
    expect(meter.usedBytes).toBeGreaterThanOrEqual(8 * chunkBytes);
    return { ...kit, storage, meter };
  }

  test("goes by remove, with its chunks", async () => {
    const { manager, storage, meter } = await withPartial();
    expect(await manager.remove(slug, version, raw)).toBe(true);
    expect(meter.usedBytes).toBe(0);
    expect(await keysOf(storage, /:(partials|leases):/)).toEqual([]);
    expect(await manager.remove(slug, version, raw)).toBe(false);
  });

  test.each([
    ["maxBytes", { maxBytes: chunkBytes }],
    ["unusedForMs", { unusedForMs: 500 }],
  ])("goes by prune with %s, with its chunks", async (_, limits) => {
    const { manager, storage, meter, clock } = await withPartial();
    clock.advance(1000);
    const before = meter.usedBytes;
    expect(await manager.prune(limits)).toMatchObject({ partials: 1, freedBytes: before, evicted: [] });
    expect(meter.usedBytes).toBe(0);
    expect(await keysOf(storage, /:(partials|leases):/)).toEqual([]);
  });

  test("stays while another process is at it", async () => {
    const { storage } = meteredStore();
    const [owner, other] = [processOver(api, { storage }), processOver(api, { storage })];
    api.faults.stall = { atPercent: 60 };
    const stream = await owner.manager.get(slug, version, raw);
    await readSome(stream, 4 * chunkBytes);
    await eventually(async () => expect(await keysOf(storage, /:partials:/)).not.toEqual([]));
    const before = await keysOf(storage, /:partials:/);
    expect(await other.manager.remove(slug, version, raw)).toBe(false);
    expect(await other.manager.prune({ maxBytes: 0 })).toMatchObject({ partials: 0 });
    expect(await keysOf(storage, /:partials:/)).toEqual(expect.arrayContaining(before));
    await stream.cancel();
  });
});

test("a store that can't hold leases keeps nothing of a transfer that was left", async () => {
  const { storage, meter } = meteredStore();
  const { createIfAbsent: _, ...plain } = storage;
  const { manager } = processOver(api, { storage: plain as StoreDriver });
  const stream = await manager.get(slug, version, raw);
  await readSome(stream, 8 * chunkBytes);
  await stream.cancel();
  await eventually(() => expect(meter.usedBytes).toBe(0));
});
