/** Chunks that are damaged or gone: fetched again, put back, and never handed out wrong. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf, type Damage, damage } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024, holeFree: true, downloads: "with-validators" });
const image = api.image(slug, version);
const sha256 = await image.sha256;
const maxAgeMs = 60_000;

async function filled() {
  const storage = memoryAdapter();
  const made = createTestManager(api, { storage, freshness: { maxAgeMs } });
  const info = await made.manager.prefetch(slug, version);
  made.events.clear();
  api.counters.reset();
  const keys = (await chunkKeysOf(storage, info.id)) as string[];
  const spoil = async (how: Damage, ...indexes: number[]) => {
    for (const index of indexes) await damage(storage, keys.at(index)!, how);
  };
  return { ...made, storage, info, spoil };
}

describe("a bad chunk is healed", () => {
  test.each<Damage>(["flip", "short", "long", "empty", "missing", "zeros"])("%s", async (how) => {
    const { manager, events, spoil } = await filled();
    await spoil(how, 3);
    const stream = await manager.get(slug, version);
    expect(stream.origin).toBe("cache");
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(events.types()).toContain("healed");
    expect(api.counters.transfers).toBe(1);
    // It is back in the store: the next get needs nobody.
    api.counters.reset();
    expect((await collect(await manager.get(slug, version, { cache: "only-if-cached" }))).sha256).toBe(
      sha256,
    );
    expect(api.counters.requests).toBe(0);
  });

  test.each<[string, number[]]>([
    ["the first", [0]],
    ["the last", [-1]],
    ["two apart", [1, 5]],
    ["neighbours", [2, 3, 4]],
    ["all", [0, 1, 2, 3, 4, 5, 6, 7]],
  ])("%s", async (_, indexes) => {
    const { manager, spoil } = await filled();
    await spoil("flip", ...indexes);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    api.faults.refuse = { status: 503 };
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  });

  test.each<[string, number[], number]>([
    ["the first", [0], 1],
    ["the last", [-1], 1],
    ["neighbours at the end", [-2, -1], 2],
    ["two apart", [1, 5], 2],
  ])("and told: %s", async (_, indexes, chunks) => {
    const told = (events: Awaited<ReturnType<typeof filled>>["events"]) =>
      events.of("healed").reduce((sum, event) => sum + event.chunks, 0);
    const read = await filled();
    await read.spoil("flip", ...indexes);
    await collect(await read.manager.get(slug, version));
    expect(told(read.events)).toBe(chunks);
    const checked = await filled();
    await checked.spoil("missing", ...indexes);
    expect(await checked.manager.verify({ repair: true })).toMatchObject({ damaged: [{ isRepaired: true }] });
    expect(told(checked.events)).toBe(chunks);
    // Without ranges a whole transfer heals them.
    const whole = await filled();
    await whole.spoil("flip", ...indexes);
    api.faults.ranges = "off";
    await collect(await whole.manager.get(slug, version));
    expect(told(whole.events)).toBeGreaterThan(0);
  });

  test("but not told as healed if the store does not take them", async () => {
    const driver = faultyDriver(memoryAdapter());
    const { manager, events } = createTestManager(api, { storage: driver, freshness: { maxAgeMs } });
    const { id } = await manager.prefetch(slug, version);
    const keys = (await chunkKeysOf(driver, id)) as string[];
    await damage(driver, keys[2]!, "flip");
    driver.faults.push({ operation: "setItemRaw", does: "throw" });
    events.clear();
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(events.types()).toContain("store-fault");
    expect(events.types()).not.toContain("healed");
  });

  test("only if somebody reads it", async () => {
    const { manager, spoil } = await filled();
    await spoil("missing", 7);
    const range = { start: 0, end: 2 * chunkBytes };
    expect((await collect(await manager.get(slug, version, { range }))).bytes).toBe(range.end);
    expect(api.counters.requests).toBe(0);
    const last = await manager.get(slug, version, { range: { start: image.size - 5 } });
    expect((await collect(last)).bytes).toBe(5);
    expect(api.counters.transfers).toBe(1);
  });

  test("also if its download breaks on the way", async () => {
    const { manager, spoil } = await filled();
    await spoil("flip", 2, 6);
    api.faults.lose = { atPercent: 50, times: 1 };
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  });
});

describe("a bad chunk that can't be healed", () => {
  test("only-if-cached gets INTEGRITY, and asks nobody", async () => {
    const { manager, spoil, info } = await filled();
    await spoil("flip", 3);
    const stream = await manager.get(slug, version, { cache: "only-if-cached" });
    const failure = await rejection(collect(stream));
    expect(failure).toMatchObject({ code: "INTEGRITY", image: info.id, chunk: 3 });
    expect(api.counters.requests).toBe(0);
  });

  test("nobody there: INTEGRITY, with the reason", async () => {
    const { manager, spoil, info } = await filled();
    await spoil("missing", 1);
    api.faults.refuse = { status: 503 };
    const failure = await rejection(collect(await manager.get(slug, version)));
    expect(failure).toMatchObject({ code: "INTEGRITY", image: info.id, chunk: 1 });
    expect((failure as Error).cause).toMatchObject({ code: "UPSTREAM", status: 503 });
    // Nothing is lost by it: the next get heals.
    api.faults.reset();
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  });

  test("the upstream has another image by now: no mixture, and the next get brings the new one", async () => {
    const { manager, spoil } = await filled();
    await spoil("flip", 3);
    api.faults.change = { content: true, validators: true };
    const failure = await rejection(collect(await manager.get(slug, version)));
    expect(failure).toMatchObject({ code: "IMAGE_CHANGED" });
    const next = await collect(await manager.get(slug, version));
    expect(next.sha256).toBe(await api.image(slug, version, {}, 1).sha256);
  });

  test.each(["throw", "error", "string"] as const)(
    "a store whose reads do %s is healed around",
    async (does) => {
      const storage = faultyDriver(memoryAdapter());
      const { manager } = createTestManager(api, { storage, freshness: { maxAgeMs } });
      await manager.prefetch(slug, version);
      storage.faults.push({ operation: "getItemRaw", key: /:chunks:/, at: 3, does });
      expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    },
  );
});

describe("a read of a sound chunk that fails", () => {
  async function failing(times: number) {
    const driver = faultyDriver(memoryAdapter());
    const made = createTestManager(api, { storage: driver, freshness: { maxAgeMs } });
    const { id } = await made.manager.prefetch(slug, version);
    const [, , key] = (await chunkKeysOf(driver, id)) as string[];
    driver.faults.push({ operation: "getItemRaw", key: new RegExp(key!), times, does: "throw" });
    made.events.clear();
    api.counters.reset();
    return made;
  }

  test("once is read once more, and nobody hears of it", async () => {
    const { manager, events } = await failing(1);
    const stream = await manager.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(events.types()).toEqual(["hit"]);
    expect(api.counters.requests).toBe(0);
  });

  test.each(["on", "off"] as const)(
    "always is got from the upstream, and is no damage (ranges %s)",
    async (ranges) => {
      const { manager, events } = await failing(Number.POSITIVE_INFINITY);
      api.faults.ranges = ranges;
      expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
      expect(events.of("store-fault")).toMatchObject([{ operation: "read", cause: { code: "STORE" } }]);
      expect(events.types()).not.toContain("healed");
    },
  );

  test("always is STORE if the upstream must not be asked, or is not there", async () => {
    const { manager } = await failing(Number.POSITIVE_INFINITY);
    const cached = await manager.get(slug, version, { cache: "only-if-cached" });
    expect(await rejection(collect(cached))).toMatchObject({ code: "STORE" });
    api.faults.refuse = { status: 503 };
    expect(await rejection(collect(await manager.get(slug, version)))).toMatchObject({ code: "STORE" });
  });
});
