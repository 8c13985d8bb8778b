// Workers and the like, in which each run is cut off after some time: every run gets further, and if none can, the image is delivered without being stored.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { runsInVain } from "../../../src/core/transfer/runs-in-vain.ts";
import { fakeClock } from "../../support/clock.ts";
import { collect } from "../../support/collect.ts";
import { dyingDriver } from "../../support/dying-driver.ts";
import { type AskedPart, cut, managerOver, noise, serving } from "../../support/own-parts.ts";
import { chunkBytes, type TestManagerOptions } from "../../support/test-manager.ts";
import { standingStill, wireKeys } from "./kills.ts";

const bytes = noise(14 * chunkBytes + 1000);
const sha256 = createHash("sha256").update(bytes).digest("hex");
/** One large part after a small one. */
const list = cut(bytes, 14 * chunkBytes);
const lease = { heartbeatMs: 20, ttlMs: 100, pollMs: 2 };

type Get = (options?: TestManagerOptions) => ReturnType<typeof managerOver>;

/** A run that is cut off once it has kept so many pieces more; with none, when it first reads from its upstream. */
async function cutOff(storage: StoreDriver, pieces: number): Promise<readonly AskedPart[]> {
  const served = serving(list.files);
  const upstream = standingStill(pieces === 0 ? 0 : bytes.length, undefined, served.fetch);
  const { driver, kill } = dyingDriver(storage);
  const kept = Promise.withResolvers<void>();
  let left = pieces;
  const counting: StoreDriver = {
    ...driver,
    async setItemRaw(key, value, options) {
      await driver.setItemRaw!(key, value, options);
      if (!key.includes(":wire:") || --left !== 0) return;
      kill();
      kept.resolve();
    },
  };
  const { manager } = managerOver(list, upstream.fetch, { lease, storage: counting });
  const reading = manager.get("slug", "1.0.0").then(collect);
  reading.catch(() => undefined);
  await Promise.race([upstream.stopped, kept.promise, reading]);
  kill();
  await manager.close();
  return served.asked;
}

/** A store with what a run left that was cut off after some pieces, and so many runs, or one more, that got no further. */
async function withRunsInVain(runs: number): Promise<StoreDriver> {
  const storage = memoryAdapter();
  await cutOff(storage, 6);
  await cutOff(storage, 0); // it may get as far as what was kept, which is further than the chunks were
  for (let run = 0; run < runs; run++) await cutOff(storage, 0);
  return storage;
}

const open: Get = (options) => managerOver(list, serving(list.files).fetch, { lease, ...options });

describe("runs that are cut off", () => {
  test("each get further than the one before, until the image is stored", async () => {
    const storage = memoryAdapter();
    const starts: number[] = [];
    for (let run = 0; run < 20; run++) {
      const asked = await cutOff(storage, 3);
      const range = asked.map(({ headers }) => headers.get("range")).find(Boolean);
      if (range) starts.push(Number(/\d+/.exec(range)));
      if ((await storage.getKeys("balena-images:v1:images:", {})).length > 0) break;
    }
    expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
    expect(starts.length).toBeGreaterThan(3);
    expect(starts.length).toBeLessThan(14);
    const { manager, events } = open({ storage });
    expect((await collect(await manager.get("slug", "1.0.0", { cache: "only-if-cached" }))).sha256).toBe(
      sha256,
    );
    expect(events.types()).toEqual(["hit"]);
    await manager.close();
  });

  test("in vain, but not often, are gone on from", async () => {
    const storage = await withRunsInVain(1);
    const { manager, events } = open({ storage });
    const stream = await manager.get("slug", "1.0.0");
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(await stream.committed()).toBeDefined();
    expect(events.of("cut-off")).toEqual([]);
    await manager.close();
  });

  test("in vain three times: the image is delivered, not stored, and what there is stays", async () => {
    const storage = await withRunsInVain(3);
    const pieces = await wireKeys(storage);
    expect(pieces.length).toBeGreaterThan(2);
    for (let get = 0; get < 2; get++) {
      const { manager, events } = open({ storage });
      const stream = await manager.get("slug", "1.0.0");
      expect((await collect(stream)).sha256).toBe(sha256);
      expect(await stream.committed()).toBeUndefined();
      expect(events.of("cut-off")).toHaveLength(1);
      expect(events.of("cut-off")[0]!.runs).toBeGreaterThanOrEqual(3);
      await manager.close();
    }
    expect(await wireKeys(storage)).toEqual(pieces);
  });

  test("in vain: a prefetch goes on from what there is all the same", async () => {
    const storage = await withRunsInVain(4);
    const { manager, events } = open({ storage });
    await manager.prefetch("slug", "1.0.0");
    expect(events.of("cut-off")).toEqual([]);
    await manager.close();
    expect(await wireKeys(storage)).toEqual([]);
  });

  test("in vain are forgotten after a day", async () => {
    const storage = await withRunsInVain(3);
    const clock = fakeClock(Date.now() + 25 * 3600e3);
    const { manager, events } = open({ storage, clock });
    const stream = await manager.get("slug", "1.0.0");
    await collect(stream);
    expect(await stream.committed()).toBeDefined();
    expect(events.of("cut-off")).toEqual([]);
    await manager.close();
  });
});

describe("runs in vain", () => {
  const header = { startedAt: 1_000, chunkBytes, mime: "a/b", isInflated: false } as never as Parameters<
    typeof runsInVain
  >[0]["header"];
  const journal = (facts: object, hasGained: boolean) => ({
    header: { ...header, ...facts },
    digests: [],
    stored: [],
    wire: new Map(),
    provenParts: 0,
    isStored: () => true,
    hasGained,
  });
  test.each([
    ["the owner of the journal was killed, and had got further", { killed: 0 }, true, 1, 0],
    ["it was killed, and had not", { killed: 1 }, false, 2, 1],
    ["it was one of several that had not", { killed: 4, inVain: 2 }, false, 5, 3],
    ["another one was killed before it had a journal", { killed: 0 }, true, 2, 1],
    ["its owner has left by itself", { killed: 3, inVain: 2 }, false, 3, 0],
    ["the head that counts was lost", { killed: 3, inVain: 2 }, false, 0, 0],
    ["the journal is older than these counts", {}, true, 1, 0],
  ])("%s", (_, facts, hasGained, killed, expected) => {
    expect(runsInVain(journal(facts, hasGained), killed, 2_000)).toBe(expected);
  });
});
