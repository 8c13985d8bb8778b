// Leases and journals are found by keys that are known: a listing may go through a whole database of other programs' keys.
import { expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageStream, StoreDriver } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { dyingDriver } from "../../support/dying-driver.ts";
import { eventually } from "../../support/eventually.ts";
import { type FaultyDriver, faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { keysOf, lastRangeStart, MiB, processOver, settled, shortLease } from "./support.ts";

const api = await sharedApi({ imageBytes: 2 * MiB, holeFree: true, downloads: "with-validators" });
const sha256 = await api.image(slug, version).sha256;
const raw = { fileType: ".img" } as const;
const listings = ({ calls }: FaultyDriver) => calls.filter(({ operation }) => operation === "getKeys");

/** A store whose listings are counted. Tests look into `plain`. */
function countedStore(plain: StoreDriver = memoryAdapter()) {
  return { plain, storage: faultyDriver(plain) };
}

/** Reads a part, and leaves: the transfer ends and keeps what it has. */
async function leaveHalfWay(storage: StoreDriver, plain: StoreDriver, chunks: number) {
  api.faults.stall = { atPercent: 100 * ((chunks + 0.5) / 8), times: 1 };
  const { manager } = processOver(api, { storage });
  const stream = await manager.get(slug, version, raw);
  const reader = stream.getReader();
  await eventually(async () =>
    expect((await keysOf(plain, /:chunks:/)).length).toBeGreaterThanOrEqual(chunks),
  );
  await eventually(async () => expect((await keysOf(plain, /:partials:/)).length).toBeGreaterThan(1));
  await reader.cancel();
  await manager.close();
}

const get = (storage: StoreDriver): Promise<ImageStream> => {
  const { manager } = processOver(api, { storage, lease: shortLease, freshness: { maxAgeMs: 60_000 } });
  onTestFinished(() => manager.close());
  return manager.get(slug, version, raw);
};

test("no get lists: the first, one that follows, a hit, a refresh", async () => {
  const { plain, storage } = countedStore();
  const goOn = stallNext(api);
  const owner = await get(storage);
  await eventually(async () => expect(await keysOf(plain, /:leases:/)).toHaveLength(1));
  const follower = await get(storage);
  goOn();
  for (const stream of await Promise.all([collect(owner), collect(follower)]))
    expect(stream.sha256).toBe(sha256);
  expect(api.counters.transfers).toBe(1);
  expect((await collect(await get(storage))).sha256).toBe(sha256);
  const { manager } = processOver(api, { storage });
  expect((await collect(await manager.get(slug, version, { ...raw, cache: "no-cache" }))).sha256).toBe(
    sha256,
  );
  expect((await collect(await manager.get(slug, version, { ...raw, cache: "reload" }))).sha256).toBe(sha256);
  expect(listings(storage)).toEqual([]);
  await settled(api, plain);
  expect(await keysOf(plain, /:(leases|partials):/)).toEqual([]);
});

test("what several left one after the other is taken up without a listing, and nothing of it stays", async () => {
  const { plain, storage } = countedStore();
  for (const chunks of [2, 4, 6]) await leaveHalfWay(storage, plain, chunks);
  const epochs = (await keysOf(plain, /:partials:/)).map((key) => key.split(":").at(-2));
  expect([...new Set(epochs)]).toEqual(["3"]);
  expect(await keysOf(plain, /:leases:/)).toEqual([expect.stringMatching(/:head$/)]);
  expect((await collect(await get(storage))).sha256).toBe(sha256);
  expect(lastRangeStart(api)).toBeGreaterThanOrEqual(6 * chunkBytes);
  expect(listings(storage)).toEqual([]);
  await settled(api, plain);
  expect(await keysOf(plain, /:(leases|partials):/)).toEqual([]);
});

test("one that failed before its first chunk leaves its predecessor's journal to be found", async () => {
  const { plain, storage } = countedStore();
  await leaveHalfWay(storage, plain, 3);
  api.faults.refuse = { status: 503 };
  await expect(get(storage)).rejects.toMatchObject({ code: "UPSTREAM" });
  api.faults.reset();
  await eventually(async () => expect(await keysOf(plain, /:leases:.*:\d+$/)).toEqual([]));
  expect((await collect(await get(storage))).sha256).toBe(sha256);
  expect(lastRangeStart(api)).toBeGreaterThanOrEqual(3 * chunkBytes);
});

test("an owner that died at any of its first operations is passed over", async () => {
  for (let deathAt = 4; deathAt < 16; deathAt++) {
    const { plain, storage } = countedStore();
    // Two of them, so that the second dies on the way from the first epoch to the next.
    for (const death of [12, deathAt]) {
      const { driver } = dyingDriver(storage, death);
      const { manager } = processOver(api, { storage: driver, lease: shortLease });
      expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
      await manager.close();
    }
    expect((await collect(await get(storage))).sha256).toBe(sha256);
    expect(await keysOf(plain, /:images:/)).toHaveLength(1);
    expect(listings(storage)).toEqual([]);
  }
});

test("a head that is damaged, or was written by a stranger, costs no more than a transfer", async () => {
  const { plain, storage } = countedStore();
  const { id } = await processOver(api, { storage: plain }).manager.prefetch(slug, version, raw);
  await plain.removeItem?.(`balena-images:v1:images:${id}`, {});
  for (const value of ["", "{}", '{"epoch":1e300,"journals":[]}', "null", "x".repeat(1000)]) {
    await plain.setItemRaw?.(`balena-images:v1:leases:${id}:head`, new TextEncoder().encode(value), {});
    expect((await collect(await get(storage))).sha256).toBe(sha256);
    await plain.removeItem?.(`balena-images:v1:images:${id}`, {});
  }
  expect(listings(storage)).toEqual([]);
});

test("prune sweeps a head a day after its owner died, and leaves that of a live one", async () => {
  const { plain, storage } = countedStore();
  for (const chunks of [2, 4]) await leaveHalfWay(storage, plain, chunks);
  const { manager, clock } = processOver(api, { storage: plain });
  await manager.prune();
  expect(await keysOf(plain, /:head$/)).toHaveLength(1);
  clock.advance(25 * 60 * 60 * 1000);
  const [head] = await keysOf(plain, /:head$/);
  const live = head!.replace(/head$/, "9");
  const record = { owner: "alive", beat: 1, renewedAt: clock.now() };
  await plain.setItemRaw?.(live, new TextEncoder().encode(JSON.stringify(record)), {});
  await manager.prune();
  expect(await keysOf(plain, /:leases:/)).toEqual([live, head]);
  await plain.removeItem?.(live, {});
  await manager.prune();
  expect(await keysOf(plain, /:(leases|partials):/)).toEqual([]);
});
