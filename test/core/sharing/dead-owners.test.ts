// Leases of owners that are alive in name only, or that this process has left itself.
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { readJson, write } from "../../support/stored-values.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { keysOf, processOver, readSome, shortLease, stores } from "./support.ts";

const imageBytes = 8 * chunkBytes;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const raw = { fileType: ".img" } as const;
const retry = { attempts: 3, minDelayMs: 1, maxDelayMs: 20, idleTimeoutMs: 300 };

test.each(stores)(
  "over %s, an owner that beats without doing anything is passed over",
  async (_, newStore) => {
    const storage = await newStore();
    const probe = processOver(api, { storage });
    const { id } = await probe.manager.prefetch(slug, version, raw);
    await probe.manager.remove(slug, version, raw);
    let beat = 0;
    const key = `balena-images:v1:leases:${id}:1`;
    const lease = () =>
      JSON.stringify({ owner: "zombie", beat: beat++, progress: 7, quietMs: 50, renewedAt: Date.now() });
    await write(storage, key, lease());
    const beating = setInterval(async () => {
      if (await storage.hasItem(key, {})) await write(storage, key, lease());
    }, 20);
    try {
      const { manager } = processOver(api, { storage, lease: shortLease, retry });
      expect((await collect(await manager.get(slug, version, raw))).bytes).toBe(imageBytes);
      expect(beat).toBeGreaterThan(2);
    } finally {
      clearInterval(beating);
    }
  },
);

test("an owner whose upstream is silent for longer than the TTL keeps its lease", async () => {
  const storage = memoryAdapter();
  const [owner, follower] = [1, 2].map(() =>
    processOver(api, { storage, lease: shortLease, retry: { ...retry, idleTimeoutMs: 20_000 } }),
  );
  api.faults.stall = { atPercent: 50, forMs: 4 * shortLease.ttlMs, times: 1 };
  const first = await owner!.manager.get(slug, version, raw);
  await readSome(first, chunkBytes);
  const second = await follower!.manager.get(slug, version, raw);
  const [one, two] = await Promise.all([collect(first), collect(second)]);
  expect([one.bytes, two.bytes]).toEqual([imageBytes - chunkBytes, imageBytes]);
  expect(api.counters.transfers).toBe(1);
});

test("a lease says what its owner does, and how long it may do nothing", async () => {
  const storage = memoryAdapter();
  const { manager } = processOver(api, { storage, lease: shortLease, retry });
  api.faults.connectionBytesPerSecond = 8 * chunkBytes;
  const stream = await manager.get(slug, version, raw);
  const lease = async () => readJson(storage, (await keysOf(storage, /:leases:/))[0]!);
  const { progress, quietMs } = await lease();
  expect(quietMs).toBe(320);
  await eventually(async () => expect((await lease())["progress"]).toBeGreaterThan(progress as number));
  await stream.cancel();
});

test.each([
  ["by the same manager", false],
  ["by another manager of the process", true],
])("a lease that could not be deleted while the store was away is not waited out %s", async (_, isOther) => {
  const plain = memoryAdapter();
  const store = faultyDriver(plain);
  const lease = { heartbeatMs: 50, ttlMs: 3_600_000, pollMs: 10 };
  const first = processOver(api, { storage: store, lease });
  const goOn = stallNext(api);
  const stream = await first.manager.get(slug, version, raw);
  await readSome(stream, chunkBytes);
  for (const operation of ["getItemRaw", "setItemRaw", "removeItem", "getKeys", "createIfAbsent"] as const)
    store.faults.push({ operation, does: "throw" });
  goOn();
  await collect(stream);
  expect(await stream.committed()).toBeUndefined();
  store.faults.splice(0);
  expect(await keysOf(plain, /:leases:/)).not.toEqual([]);
  const { manager } = isOther ? processOver(api, { storage: store, lease }) : first;
  expect((await collect(await manager.get(slug, version, raw))).bytes).toBe(imageBytes);
  expect(await manager.inspect(slug, version, raw)).toBeDefined();
});
