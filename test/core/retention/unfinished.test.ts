// What housekeeping leaves of a transfer that did not end: its chunks, so that the next get goes on where it stood.
import { expect, test } from "vitest";
import { collect } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, type TestManager } from "../../support/test-manager.ts";
import { keysOf, lastRangeStart, processOver, readSome, settled, stores } from "../sharing/support.ts";

const chunks = 8;
const api = await sharedApi({
  imageBytes: chunks * chunkBytes,
  holeFree: true,
  downloads: "with-validators",
});
const raw = { fileType: ".img" } as const;
const hourMs = 60 * 60 * 1000;

/** The same chunks are a whole image's and an unfinished transfer's. */
async function withUnfinished(storage: TestManager["storage"]): Promise<TestManager> {
  const kit = processOver(api, { storage });
  await kit.manager.prefetch(slug, version);
  api.faults.stall = { atPercent: 80 };
  const left = await kit.manager.get(slug, version, raw);
  await readSome(left, 6 * chunkBytes);
  await left.cancel();
  await settled(api, storage);
  api.faults.reset();
  return kit;
}

const housekeeping: [string, (kit: TestManager) => Promise<unknown>][] = [
  ["remove", ({ manager }) => manager.remove(slug, version)],
  ["prune to what it takes", ({ manager }) => manager.prune({ unusedForMs: hourMs })],
  [
    "two sweeps after a remove",
    async ({ manager, clock }) => {
      await manager.remove(slug, version);
      for (let sweep = 0; sweep < 3; sweep++) {
        await manager.prune();
        clock.advance(2 * hourMs);
      }
    },
  ],
];

test.each(
  stores.flatMap(([name, newStore]) =>
    housekeeping.map(([what, run]) => [name, what, newStore, run] as const),
  ),
)("over %s: %s spares its chunks", async (_name, _what, newStore, run) => {
  const storage = await newStore();
  const kit = await withUnfinished(storage);
  expect(await keysOf(storage, /:chunks:/)).toHaveLength(chunks);
  await run(kit);
  await kit.manager.remove(slug, version);
  expect(await keysOf(storage, /:images:/)).toEqual([]);
  expect(await keysOf(storage, /:chunks:/)).toHaveLength(6);
  const again = await kit.manager.get(slug, version, raw);
  expect(await collect(again)).toMatchObject({ sha256: await api.image(slug, version).sha256 });
  expect(lastRangeStart(api)).toBe(6 * chunkBytes);
});
