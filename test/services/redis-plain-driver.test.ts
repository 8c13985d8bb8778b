/** unstorage's own Redis driver: no raw values, so base64; right bytes, and no key of others touched. */
import { Redis } from "ioredis";
import redisDriver from "unstorage/drivers/redis";
import { afterAll, beforeEach, expect, test } from "vitest";
import { collect } from "../support/collect.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ downloads: "with-validators" });
const server = await startTestRedis();
const client = new Redis(server.url);
beforeEach(() => client.flushall());
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

test.each([
  ["with a base", { base: "app:cache" }],
  ["without a base, where its own clear would wipe the database", {}],
])("%s", async (_, options) => {
  const foreign = ["balena-images", "balena-images2:x", "app:x", "x"];
  for (const key of foreign) await client.set(key, "theirs");
  const driver = redisDriver({ url: server.url, ...options });
  const { manager, events } = createTestManager(api, { storage: driver, freshness: { maxAgeMs: 60_000 } });
  const { sha256 } = api.image(slug, version);
  expect(await collect(await manager.get(slug, version))).toMatchObject({ sha256: await sha256 });
  const again = await manager.get(slug, version);
  expect(again.origin).toBe("cache");
  expect(await collect(again)).toMatchObject({ sha256: await sha256 });
  expect(api.counters.transfers).toBe(1);
  const [chunk] = await client.keys("*balena-images:v1:chunks:*");
  expect(await client.getrange(chunk ?? "", 0, 6)).toBe("base64:");

  await manager.cleanCache();
  expect((await client.keys("*")).sort()).toEqual(foreign.sort());
  expect(events.of("store-fault")).toEqual([]);
  await manager.close();
  await driver.dispose?.();
});
