// Damage to what is being read or written at that moment: chunks under a reader's eyes, and chunks, journal and lease of a
// transfer that others follow.
import { expect, test } from "vitest";
import type { ImageManager, ImageStream, StoreDriver } from "../../../src/core/index.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf } from "../../support/stored-values.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { MiB, processOver, stores } from "../sharing/support.ts";
import { type Damage, damages, delivered } from "./damages.ts";

const chunks = 8;
const api = await sharedApi({
  imageBytes: chunks * chunkBytes,
  holeFree: true,
  downloads: "with-validators",
});
const truth = api.image(slug, version).bytes();
const raw = { fileType: ".img" } as const;
const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
const lease = { heartbeatMs: 40, ttlMs: 400, pollMs: 10 };
const kinds = Object.entries(damages).filter(([how]) => !/Error|early|late/.test(how));

/** Calls `onSecond` when the second piece passes. */
function watched(stream: ImageStream, onSecond: () => Promise<void>): ImageStream {
  let index = 0;
  const passing = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    async transform(piece, controller) {
      if (index++ === 1) await onSecond();
      controller.enqueue(piece);
    },
  });
  return stream.pipeThrough(passing) as ImageStream;
}

test.each(stores)("over %s: chunks damaged while they are read", async (name, newStore) => {
  const tally = { damages: 0, right: 0, "typed error": 0, wrong: 0 };
  for (const [how, damage] of kinds) {
    for (const cache of ["default", "only-if-cached"] as const) {
      const storage = await newStore();
      // Memory for four chunks: that is how many are read ahead.
      const { manager } = processOver(api, { storage, freshness, memoryBytes: 4 * chunkBytes });
      const { id } = await manager.prefetch(slug, version, raw);
      const keys = (await chunkKeysOf(storage, id)) as string[];
      const stream = await manager.get(slug, version, { ...raw, cache });
      const damaging = watched(stream, async () => {
        for (const index of [6, 7]) if (await damage(storage, keys[index]!, keys[1])) tally.damages += 1;
      });
      const got = await delivered(Promise.resolve(damaging), truth);
      tally[got] += 1;
      expect(got, how).toBe(cache === "default" ? "right" : "typed error");
      expect(await delivered(manager.get(slug, version, raw), truth), how).toBe("right");
      await manager.close();
    }
  }
  console.log(`damage while reading: ${name}`, tally);
  expect(tally).toMatchObject({ damages: 4 * kinds.length, wrong: 0 });
});

/** A store that spoils every second value of a kind as soon as it is written. */
function spoiling(storage: StoreDriver, kind: RegExp, damage: Damage) {
  let [matches, spoilt] = [0, 0];
  let previous: string | undefined;
  const spoil = async (key: string) => {
    if (!kind.test(key)) return;
    matches += 1;
    if (matches % 2 === 0 && (await damage(storage, key, previous))) spoilt += 1;
    previous = key;
  };
  const driver: StoreDriver = {
    ...storage,
    async setItemRaw(key, value, options) {
      await storage.setItemRaw?.(key, value, options);
      await spoil(key);
    },
  };
  return { driver, spoilt: () => spoilt };
}

test.each(stores)("over %s: a transfer damaged while it is followed", async (name, newStore) => {
  const tally = { damages: 0, right: 0, "typed error": 0, wrong: 0 };
  const failures: string[] = [];
  api.faults.connectionBytesPerSecond = 4 * MiB;
  for (const kind of [/:chunks:/, /:partials:/, /:leases:/]) {
    const tries = kinds.map(async ([how, damage]) => {
      const storage = await newStore();
      const { driver, spoilt } = spoiling(storage, kind, damage);
      const managers = [1, 2, 3].map(() => processOver(api, { storage: driver, lease, freshness }).manager);
      const get = (manager: ImageManager, who: string) =>
        delivered(manager.get(slug, version, raw), truth, (failure) =>
          failures.push(`${how} ${kind}, ${who}: ${failure}, because of ${failure.cause}`),
        );
      const gets = managers.map((manager, index) => get(manager, `reader ${index}`));
      for (const got of await Promise.all(gets)) tally[got] += 1;
      tally.damages += spoilt();
      await Promise.all(managers.map((manager) => manager.close()));
      const { manager } = processOver(api, { storage, lease, freshness });
      tally[await get(manager, "the next one")] += 1;
      await manager.close();
    });
    await Promise.all(tries);
  }
  console.log(`damage while followed: ${name}`, tally);
  expect(failures).toEqual([]);
  expect(tally.wrong).toBe(0);
  expect(tally.damages).toBeGreaterThan(20); // a journal may be few segments
});
