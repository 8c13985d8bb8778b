// Housekeeping in one manager while others read and write the same store: every image that is delivered is right, none fails, and
// what is left is sound. An unseen rejection fails the run by itself.
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { GetOptions, ImageManager } from "../../../src/core/index.ts";
import { repeatableImages } from "../../support/balena-api/index.ts";
import { arrayOf } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, type TestManager } from "../../support/test-manager.ts";
import { keysOf, processOver, stores } from "../sharing/support.ts";
import { delivered } from "./damages.ts";

const imageChunks = 6;
const api = await sharedApi({
  ...repeatableImages,
  imageBytes: imageChunks * chunkBytes,
  holeFree: true,
  downloads: "with-validators",
});
const dayMs = 24 * 60 * 60 * 1000;
const lease = { heartbeatMs: 100, ttlMs: 1_500, pollMs: 5 };
const getsOfEach = 30;

const images: readonly GetOptions[] = [{ fileType: ".img" }, {}, { developmentMode: true }];
const truths = await Promise.all(
  images.map(({ developmentMode }) => api.image(slug, version, { developmentMode }).content()),
);
const modes = ["default", "no-cache", "default", "reload", "force-cache"] as const;

/** Gets one image after the other, each in another mode; the pauses let housekeeping in between. */
async function readOn({ manager }: TestManager, first: number, got: string[]): Promise<void> {
  for (let round = first; round < first + getsOfEach; round++) {
    const index = round % images.length;
    const cache = modes[round % modes.length]!;
    const getting = manager.get(slug, version, { ...images[index], cache });
    const paced = getting.then(async (stream) => {
      for (let turns = round % 4; turns > 0; turns--) await turn();
      return stream;
    });
    got.push(await delivered(paced, truths[index]!).catch((failure: unknown) => String(failure)));
  }
}

type Chore = (manager: ImageManager, image: GetOptions, clock: TestManager["clock"]) => Promise<unknown>;

const chores: readonly Chore[] = [
  (manager) => manager.verify({ repair: true }),
  (manager, image) => manager.pin(slug, version, image),
  (manager) => manager.prune({ maxBytes: imageChunks * chunkBytes }),
  (manager, image) => manager.remove(slug, version, image),
  (manager, _, clock) => {
    clock.advance(dayMs * 2); // every orphan is seen twice, and every journal is old
    return manager.prune({ maxBytes: 0 });
  },
  (manager) => manager.verify(),
  (manager, image) => manager.unpin(slug, version, image),
  (manager) => arrayOf(manager.list()),
  (manager) => manager.prune({ unusedForMs: 0 }),
  (manager) => manager.cleanCache(),
];

/** One chore after the other until there is nothing more to disturb. */
async function keepHouse({ manager, clock }: TestManager, isOver: () => boolean): Promise<number> {
  let done = 0;
  for (; !isOver() || done < chores.length; done++) {
    await chores[done % chores.length]!(manager, images[done % images.length]!, clock);
    await turn();
  }
  return done;
}

test.each(stores)("over %s: every image delivered is right", async (name, newStore) => {
  const storage = await newStore();
  const freshness = { maxAgeMs: 0 };
  const keeper = processOver(api, { storage, lease, freshness });
  const others = [1, 2, 3].map(() => processOver(api, { storage, lease, freshness }));
  const got: string[] = [];
  // The keeper's own streams count as in use there; those of the others it knows nothing of.
  const reading = Promise.all([keeper, keeper, ...others].map((kit, index) => readOn(kit, index, got)));
  let isOver = false;
  const keeping = keepHouse(keeper, () => isOver);
  await reading.finally(() => {
    isOver = true;
  });
  const choresDone = await keeping;
  const count = (what: string) => got.filter((one) => one === what).length;
  console.log(`under load: ${name}`, {
    chores: choresDone,
    gets: got.length,
    right: count("right"),
    typed: count("typed error"),
  });
  expect(got).toEqual(Array.from({ length: 5 * getsOfEach }, () => "right"));

  await Promise.all(others.map(({ manager }) => manager.close()));
  for (const [index, image] of images.entries())
    expect(await delivered(keeper.manager.get(slug, version, image), truths[index]!)).toBe("right");
  await keeper.manager.verify({ repair: true });
  keeper.clock.advance(2 * dayMs);
  await keeper.manager.prune();
  keeper.clock.advance(2 * dayMs);
  await keeper.manager.prune();
  expect(await keeper.manager.verify()).toMatchObject({ images: 3, damaged: [], unreadable: [], orphans: 0 });
  expect(await keysOf(storage, /:(partials|leases|orphans)/)).toEqual([]);
  await keeper.manager.close();
});
