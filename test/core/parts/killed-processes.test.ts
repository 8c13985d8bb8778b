// Real processes over one fs store that are killed at random places of an image in parts. The large run is `npm run kills`.
import { expect, test } from "vitest";
import { randomPlaces, runKills } from "../../kills/run-kills.ts";
import { createRandom } from "../../soak/random.ts";
import { newBase } from "../../support/fs-store.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";

const MiB = 1024 * 1024;
const imageBytes = 96 * MiB;
const api = await sharedApi({ assets: true, imageBytes, holeFree: true });

test("each kill costs at most 8 MiB", { timeout: 120_000 }, async () => {
  const image = api.image(slug, version);
  const wireBytes = (await image.gzBytes()) - 20;
  const seed = Math.floor(Math.random() * 1e9);
  const random = createRandom(seed, "places");
  const report = await runKills({
    api,
    deviceType: slug,
    version,
    store: { base: await newBase() },
    chunkBytes: MiB,
    places: randomPlaces(() => random.next(), 4, imageBytes * 0.97),
  });
  expect(report, `seed ${seed}`).toMatchObject({ sha256: await image.sha256, isCommitted: true, kills: 4 });
  expect(api.counters.requestLog.some(({ headers }) => headers.range !== undefined)).toBe(true);
  expect(report.sentBytes, `seed ${seed}`).toBeLessThan(1.02 * wireBytes + report.kills * 8 * MiB);
});
