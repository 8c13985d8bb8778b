/** The Redis store behind sentinels: the contract, and a failover in the middle of a transfer. */
import { Redis } from "ioredis";
import { afterAll, describe, expect, test } from "vitest";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { storeContract } from "../contract/store-contract.ts";
import { collect } from "../support/collect.ts";
import { contractHost } from "../support/contract-host.ts";
import { startTestSentinels } from "../support/redis-sentinels.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const servers = await startTestSentinels();
afterAll(() => servers.stop());
const api = await sharedApi({ imageBytes: 16 * MiB, holeFree: true, downloads: "with-validators" });
const { name, sentinels } = servers;
const byOptions = () => redisAdapter({ connection: { name, sentinels }, timeoutMs: 2_000 });

describe("contract, by the addresses of sentinels", async () => {
  await storeContract({
    ...contractHost,
    create: async () => {
      const client = new Redis(servers.master());
      await client.flushall();
      client.disconnect();
      return byOptions();
    },
  });
});

test("a failover in the middle of a transfer: the get is whole, and the next one is cached on the new master", async () => {
  const storage = byOptions();
  const lease = { heartbeatMs: 100, ttlMs: 600_000, pollMs: 10 };
  const { manager, events } = createTestManager(api, { storage, chunkBytes: MiB, lease });
  const expected = { sha256: await api.image(slug, version).sha256 };
  api.faults.linkBytesPerSecond = 4 * MiB;
  const image = await manager.get(slug, version, { fileType: ".img" });
  const delivered = collect(image);
  await expect.poll(() => api.counters.bytesSent).toBeGreaterThan(4 * MiB);
  const before = servers.master();
  await servers.killMaster();
  expect(await delivered).toMatchObject(expected);
  if ((await image.committed()) === undefined) expect(events.types()).toContain("store-fault");

  api.faults.linkBytesPerSecond = undefined;
  await expect
    .poll(async () => {
      const next = await manager.get(slug, version, { fileType: ".img" });
      expect(await collect(next)).toMatchObject(expected);
      return next.origin;
    })
    .toBe("cache");
  const master = new Redis(servers.master());
  expect(servers.master()).not.toBe(before);
  expect(await master.keys("balena-images:v1:chunks:*")).toHaveLength(16);
  master.disconnect();
  await manager.close();
  await storage.dispose();
});
