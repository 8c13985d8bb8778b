// A reader whose way to the bytes breaks asks again only so often, whatever the other side does meanwhile.
import { expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { monotonicMs } from "../../../src/core/clock.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { readJournal } from "../../../src/core/store/journal.ts";
import { bytesOf, collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { keysOf, lease, MiB, processOver, readSome } from "./support.ts";

// More chunks than a request for a range takes: one that loses them all needs a whole transfer.
const api = await sharedApi({ imageBytes: 3 * MiB, holeFree: true });
const stalledPercent = 60;
const journaledChunks = Math.floor(((stalledPercent / 100) * 3 * MiB) / chunkBytes);
const changed = await api.image(slug, version, {}, 1).sha256;
const patient = { idleTimeoutMs: 60_000 };

/** Another process that stands still half-way through the image, all that came in its journal: nothing is written later. */
async function stalledOwner(storage: StoreDriver) {
  api.faults.stall = { atPercent: stalledPercent, times: 1 };
  const owner = processOver(api, { storage, retry: patient });
  onTestFinished(() => owner.manager.close());
  await readSome(await owner.manager.get(slug, version, { cache: "reload" }), chunkBytes);
  const store = createByteStore(storage, "balena-images");
  const [key = ""] = await keysOf(storage, /:leases:/);
  const [, , , id = "", epoch] = key.split(":");
  await eventually(async () => {
    const journal = await readJournal(store, id, [Number(epoch)]);
    expect(journal?.digests).toHaveLength(journaledChunks);
  });
}

/** Another process that transfers the old image. The upstream has the new one by now. */
async function ownerOfOldImage(storage: StoreDriver) {
  await stalledOwner(storage);
  Object.assign(api.faults, { change: { content: true, validators: true } });
  api.counters.reset();
}

async function loseChunks(storage: StoreDriver) {
  for (const key of await keysOf(storage, /:chunks:/)) await storage.removeItem?.(key, {});
}

test("a reader who has nothing yet gets the new image when a chunk of the old one is lost", async () => {
  const storage = memoryAdapter();
  await ownerOfOldImage(storage);
  await loseChunks(storage);
  const reader = processOver(api, { storage });
  const { sha256 } = await collect(await reader.manager.get(slug, version));
  expect(sha256).toBe(changed);
  expect(api.counters.downloads).toBeLessThanOrEqual(2);
});

test("a reader who has bytes of the old image ends with IMAGE_CHANGED, after one request", async () => {
  const storage = memoryAdapter();
  await ownerOfOldImage(storage);
  const reader = processOver(api, { storage });
  const stream = await reader.manager.get(slug, version);
  await readSome(stream, chunkBytes);
  await loseChunks(storage);
  await expect(bytesOf(stream)).rejects.toMatchObject({ code: "IMAGE_CHANGED" });
  expect(api.counters.downloads).toBe(1);
});

test("a stored image is healed past a transfer whose chunks are lost too", async () => {
  const storage = memoryAdapter();
  const { manager } = processOver(api, { storage });
  await manager.prefetch(slug, version);
  const old = await api.image(slug, version).sha256;
  await stalledOwner(storage);
  api.faults.ranges = "off";
  await loseChunks(storage);
  api.counters.reset();
  const reader = processOver(api, { storage, freshness: { maxAgeMs: 1e9 } });
  expect((await collect(await reader.manager.get(slug, version))).sha256).toBe(old);
  expect(api.counters.downloads).toBeLessThanOrEqual(3);
});

test("the time that a lease has stood still counts on for the next get", async () => {
  const storage = memoryAdapter();
  const reader = processOver(api, { storage, lease: { ...lease, ttlMs: 1_200 } });
  await storage.setItemRaw?.(
    `balena-images:v1:leases:${(await reader.manager.prefetch(slug, version)).id}:1`,
    new TextEncoder().encode(JSON.stringify({ owner: "dead", beat: 1, renewedAt: 0 })),
    {},
  );
  await reader.manager.remove(slug, version);
  // Each get gives up long before the TTL; together they wait no longer than one that stays.
  const startedMs = monotonicMs();
  for (let isOver = false; !isOver; ) {
    const signal = AbortSignal.timeout(400);
    isOver = await reader.manager.prefetch(slug, version, { signal }).then(
      () => true,
      () => false,
    );
    expect(monotonicMs() - startedMs).toBeLessThan(8_000);
  }
});
