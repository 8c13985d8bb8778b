/** Eight processes over one Redis: one transfer, and an owner that is killed is passed over. */
import { Redis } from "ioredis";
import { afterAll, beforeEach, expect, test } from "vitest";
import { startChild } from "../support/children.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

const MiB = 1024 * 1024;
const imageBytes = 32 * MiB;
const lease = { heartbeatMs: 100, ttlMs: 1_500, pollMs: 20 };
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const server = await startTestRedis();
const client = new Redis(server.url);
beforeEach(() => client.flushall());
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

const start = (options: object = {}) =>
  startChild({
    apiUrl: api.url,
    redisUrl: server.url,
    deviceType: slug,
    version,
    options,
    chunkBytes: MiB,
    lease,
  });
const expected = async () => ({ bytes: imageBytes, sha256: await api.image(slug, version).sha256 });
/** Leases and partials; a ledger stays. */
const leftovers = () => client.keys("balena-images:v1:[lp][ea][ar]*");

test("8 processes make one upstream transfer", async () => {
  api.faults.linkBytesPerSecond = 8 * MiB;
  const reports = await Promise.all(Array.from({ length: 8 }, () => start().ended()));
  for (const report of reports) expect(report).toMatchObject(await expected());
  expect(api.counters.transfers).toBe(1);
  expect(reports.filter(({ events }) => events.includes("committed"))).toHaveLength(1);
  expect(await leftovers()).toEqual([]);
});

test("a follower takes over from a killed owner", async () => {
  api.faults.linkBytesPerSecond = 4 * MiB;
  const owner = start({ fileType: ".img" });
  await owner.delivered(2 * MiB);
  const follower = start({ fileType: ".img" });
  await follower.delivered(2 * MiB);
  owner.kill("SIGKILL");
  api.faults.linkBytesPerSecond = undefined;
  expect(await follower.ended()).toMatchObject({ ...(await expected()), isCommitted: true });
  expect(api.counters.transfers).toBe(2);
  expect(await leftovers()).toEqual([]);
});
