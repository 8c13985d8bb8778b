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

  test("only where somebody reads it", async () => {
    const { manager, spoil } = await filled();
    await spoil("missing", 7);
    const range = { start: 0, end: 2 * chunkBytes };
    expect((await collect(await manager.get(slug, version, { range }))).bytes).toBe(range.end);
    expect(api.counters.requests).toBe(0);
    const last = await manager.get(slug, version, { range: { start: image.size - 5 } });
    expect((await collect(last)).bytes).toBe(5);
    expect(api.counters.transfers).toBe(1);
  });

  test("also where its download breaks on the way", async () => {
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
