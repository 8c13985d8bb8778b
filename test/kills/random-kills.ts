// What a few kills at random places cost: the same for every store.
import { expect } from "vitest";
import { createRandom } from "../soak/random.ts";
import type { BalenaApi } from "../support/balena-api/index.ts";
import type { ChildStore } from "../support/child.ts";
import { slug, version } from "../support/shared-api.ts";
import { randomPlaces, runKills } from "./run-kills.ts";

const MiB = 1024 * 1024;

/** Kills processes over a store, and asserts that each kill costs at most 8 MiB. */
export async function expectCheapKills(
  api: BalenaApi,
  store: ChildStore,
  { kills, imageBytes }: { kills: number; imageBytes: number },
): Promise<void> {
  const image = api.image(slug, version);
  const wireBytes = (await image.gzBytes()) - 20;
  const seed = Math.floor(Math.random() * 1e9);
  const random = createRandom(seed, "places");
  const report = await runKills({
    api,
    deviceType: slug,
    version,
    store,
    chunkBytes: MiB,
    places: randomPlaces(() => random.next(), kills, imageBytes * 0.97),
  });
  expect(report, `seed ${seed}`).toMatchObject({ sha256: await image.sha256, isCommitted: true, kills });
  expect(api.counters.requestLog.some(({ headers }) => headers.range !== undefined)).toBe(true);
  expect(report.sentBytes, `seed ${seed}`).toBeLessThan(1.02 * wireBytes + report.kills * 8 * MiB);
}
