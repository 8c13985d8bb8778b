// Real processes over one Redis or S3 store that are killed at random places of an image in parts. The large run is `npm run kills`.
import { afterAll, describe, test } from "vitest";
import { expectCheapKills } from "../kills/random-kills.ts";
import type { ChildStore } from "../support/child.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { newBucket } from "../support/s3-service.ts";
import { sharedApi } from "../support/shared-api.ts";

const imageBytes = 64 * 1024 * 1024;
const api = await sharedApi({ assets: true, imageBytes, holeFree: true });
const server = await startTestRedis();
afterAll(() => server.stop());

const stores: readonly (readonly [string, () => Promise<ChildStore>])[] = [
  ["Redis", async () => ({ redisUrl: server.url })],
  ["S3", async () => ({ s3: (await newBucket()).access })],
];

describe.each(stores)("over %s", (_, newStore) => {
  test("each kill costs at most 8 MiB", { timeout: 120_000 }, async () => {
    await expectCheapKills(api, await newStore(), { kills: 3, imageBytes });
  });
});
