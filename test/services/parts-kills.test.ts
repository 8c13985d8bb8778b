// Real processes over one Redis or S3 store that are killed at random places of an image in parts. The large run is `npm run kills`.
import { afterAll, describe, expect, test } from "vitest";
import { randomPlaces, runKills } from "../kills/run-kills.ts";
import { createRandom } from "../soak/random.ts";
import type { ChildStore } from "../support/child.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { newBucket } from "../support/s3-service.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

const MiB = 1024 * 1024;
const imageBytes = 64 * MiB;
const api = await sharedApi({ assets: true, imageBytes, holeFree: true });
const server = await startTestRedis();
afterAll(() => server.stop());

const stores: readonly (readonly [string, () => Promise<ChildStore>])[] = [
  ["Redis", async () => ({ redisUrl: server.url })],
  ["S3", async () => ({ s3: (await newBucket()).access })],
];

describe.each(stores)("over %s", (_, newStore) => {
  test("each kill costs at most 8 MiB", { timeout: 120_000 }, async () => {
    const image = api.image(slug, version);
    const wireBytes = (await image.gzBytes()) - 20;
    const seed = Math.floor(Math.random() * 1e9);
    const random = createRandom(seed, "places");
    const report = await runKills({
      api,
      deviceType: slug,
      version,
      store: await newStore(),
      chunkBytes: MiB,
      places: randomPlaces(() => random.next(), 3, imageBytes * 0.97),
    });
    expect(report, `seed ${seed}`).toMatchObject({ sha256: await image.sha256, isCommitted: true, kills: 3 });
    expect(api.counters.requestLog.some(({ headers }) => headers.range !== undefined)).toBe(true);
    expect(report.sentBytes, `seed ${seed}`).toBeLessThan(1.02 * wireBytes + report.kills * 8 * MiB);
  });
});
