// A hit, a commit and a removal cost the same store calls with ten images and with ten thousand, each by a process of its own.
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageVariant, StoreDriver } from "../../../src/core/index.ts";
import { type FakeClock, fakeClock } from "../../support/clock.ts";
import { collect } from "../../support/collect.ts";
import { type FaultyDriver, faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug } from "../../support/shared-api.ts";
import { addSyntheticImages } from "../../support/synthetic-images.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { load, snapshotOf } from "../retention/damages.ts";

const chunksEach = 4;
const imageBytes = chunksEach * chunkBytes;
const api = await sharedApi({ imageBytes, holeFree: true });
const dayMs = 24 * 60 * 60 * 1000;

const few = 10;
const many = 10_000;
const wanted = ["6.1.0", "6.0.10", "2.88.4+rev1"].flatMap((version) =>
  [{}, { fileType: ".img" }, { fileType: ".zip" }, { developmentMode: true }].map(
    (variant) => [version, variant as ImageVariant] as const,
  ),
);

type Process = ReturnType<typeof createTestManager>["manager"];
const start = fakeClock().now();

/** A store with so many images, in which somebody has pruned. */
async function storeWith(images: number): Promise<StoreDriver> {
  const storage = memoryAdapter();
  const made = { count: images, chunksEach, chunkBytes, createdAt: start - dayMs };
  await addSyntheticImages(storage, made, api.url, slug);
  await inProcess(faultyDriver(storage), fakeClock(), undefined, (manager) => manager.prune());
  return storage;
}

const prepared = new Map([
  [few, await storeWith(few)],
  [many, await storeWith(many)],
]);

/** Calls of each operation, in all, by processes that live for one call each. */
async function callsWith(images: number, maxBytes?: number) {
  const clock = fakeClock();
  const storage = faultyDriver(memoryAdapter());
  await load(storage, await snapshotOf(prepared.get(images)!));
  const counted = async (run: (manager: Process) => Promise<unknown>) => {
    storage.calls.splice(0);
    await inProcess(storage, clock, maxBytes, run);
    // A journal gets a segment now and then: their number goes by the time, not by the images.
    return storage.calls.filter(({ key }) => !/:partials:.*:\d+$/.test(key)).length;
  };
  const sums = { commit: 0, hit: 0, remove: 0, pin: 0 };
  for (const [version, variant] of wanted) {
    clock.advance(10 * 60 * 1000);
    sums.commit += await counted((manager) => manager.prefetch(slug, version, variant));
    sums.hit += await counted(async (manager) => collect(await manager.get(slug, version, variant)));
    sums.pin += await counted((manager) => manager.pin(slug, version, variant));
    sums.pin += await counted((manager) => manager.unpin(slug, version, variant));
  }
  for (const [version, variant] of wanted.slice(0, 6))
    sums.remove += await counted((manager) => manager.remove(slug, version, variant));
  return sums;
}

async function inProcess<T>(
  storage: FaultyDriver,
  clock: FakeClock,
  maxBytes: number | undefined,
  run: (manager: Process) => Promise<T>,
): Promise<T> {
  const { manager } = createTestManager(api, {
    storage,
    clock,
    freshness: { maxAgeMs: dayMs },
    ...(maxBytes !== undefined && { maxBytes }),
  });
  try {
    return await run(manager);
  } finally {
    await manager.close();
  }
}

test.each([
  ["without maxBytes", () => undefined],
  ["below maxBytes", (images: number) => 2 * (images + wanted.length) * imageBytes],
  ["at maxBytes", (images: number) => images * imageBytes],
])("%s", { timeout: 60_000 }, async (name, maxBytesFor) => {
  const [small, large] = [await callsWith(few, maxBytesFor(few)), await callsWith(many, maxBytesFor(many))];
  console.log(`store calls of 12 processes, ${name}:`, { [few]: small, [many]: large });
  for (const of of Object.keys(small) as (keyof typeof small)[])
    expect(large[of], of).toBeLessThanOrEqual(1.1 * small[of]);
});
