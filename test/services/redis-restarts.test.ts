/** A Redis whose connections are cut, or that restarts with what it had or without, in the middle of transfers: every get ends, whole. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { pipeline } from "node:stream";
import { Redis } from "ioredis";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { collect } from "../support/collect.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const api = await sharedApi({ imageBytes: 16 * MiB, holeFree: true, downloads: "with-validators" });
const expected = { sha256: await api.image(slug, version).sha256 };
const servers = {
  "with an append-only file": await startTestRedis("--appendonly", "yes", "--appendfsync", "always"),
  "without persistence": await startTestRedis(),
};
afterAll(() => Promise.all(Object.values(servers).map((server) => server.stop())));

/** A manager as in a process of its own. Nobody could wait for its leases: their time to live is far beyond the test's. */
function managerOver(url: string) {
  const storage = redisAdapter({ url, timeoutMs: 2_000 });
  const made = createTestManager(api, {
    storage,
    chunkBytes: MiB,
    lease: { heartbeatMs: 100, ttlMs: 600_000, pollMs: 10 },
  });
  onTestFinished(async () => {
    await made.manager.close();
    await storage.dispose();
  });
  return { ...made, storage };
}

/** Begins a get over a slow line, and resolves once some of it is stored. */
async function startGet({ manager }: ReturnType<typeof managerOver>, client: Redis) {
  api.faults.linkBytesPerSecond = 8 * MiB;
  const image = await manager.get(slug, version, { fileType: ".img" });
  const delivered = collect(image);
  await expect.poll(() => client.keys("balena-images:v1:partials:*").catch(() => [])).not.toEqual([]);
  return { image, delivered };
}

function clientOf(url: string): Redis {
  const client = new Redis(url, { retryStrategy: () => 50 });
  client.on("error", () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

describe.each(Object.keys(servers) as (keyof typeof servers)[])("a server %s that restarts", (kind) => {
  const server = servers[kind];

  test.each(["at once", "after the download"])(
    "%s: the reader gets every byte, and the same process stores the next get",
    async (when) => {
      const client = clientOf(server.url);
      await client.flushall();
      const made = managerOver(server.url);
      const { delivered, image } = await startGet(made, client);
      await server.kill();
      if (when === "at once") await server.start();
      expect(await delivered).toMatchObject(expected);
      if ((await image.committed()) === undefined) expect(made.events.types()).toContain("store-fault");
      if (when !== "at once") {
        await server.start();
        // The process could not delete it. It is its own, so nothing waits for the ten minutes that it has left.
        const leases = await client.keys("balena-images:v1:leases:*:[0-9]*");
        expect(leases).toHaveLength(kind === "without persistence" ? 0 : 1);
      }

      api.faults.linkBytesPerSecond = undefined;
      const next = await made.manager.get(slug, version, { fileType: ".img" });
      expect(await collect(next)).toMatchObject(expected);
      await expect
        .poll(() => made.manager.inspect(slug, version, { fileType: ".img" }).catch(String))
        .toMatchObject({ isComplete: true });
      await made.manager.close();
      // Leases and partials; a ledger stays.
      expect(await client.keys("balena-images:v1:[lp][ea][ar]*")).toEqual([]);
    },
  );
});

test("a server that becomes a replica is left: the next calls reach the server that has its name by then", async () => {
  const [before, after] = [servers["without persistence"], servers["with an append-only file"]];
  let target = before.port;
  const name = createServer((socket) => {
    const there = connect(target, "127.0.0.1");
    pipeline(socket, there, socket, () => undefined);
  }).listen(0, "127.0.0.1");
  await once(name, "listening");
  const store = redisAdapter({ url: `redis://127.0.0.1:${(name.address() as AddressInfo).port}` });
  const [old, next] = [clientOf(before.url), clientOf(after.url)];
  onTestFinished(async () => {
    await store.dispose();
    await old.replicaof("NO", "ONE");
    name.close();
  });
  const write = async () => store.setItemRaw?.("k", new Uint8Array([7]), {});
  await write();
  await next.del("k");
  await old.replicaof("127.0.0.1", after.port);
  target = after.port;
  await expect(write()).rejects.toThrow("READONLY");
  await expect.poll(() => write().catch(String)).toBeUndefined();
  expect(await next.getBuffer("k")).toEqual(Buffer.from([7]));
});

test("a server that cuts every connection again and again: every get is whole, and says what went wrong", async () => {
  const server = servers["without persistence"];
  const client = clientOf(server.url);
  await client.flushall();
  const made = managerOver(server.url);
  const { delivered, image } = await startGet(made, client);
  let isOver = false;
  const cutting = (async () => {
    for (let cuts = 0; ; cuts++) {
      await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      if (isOver) return cuts;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  expect(await delivered).toMatchObject(expected);
  expect(await image.committed()).toBeUndefined();
  expect(made.events.types()).toContain("store-fault");
  expect(String(made.events.of("store-fault")[0]?.cause)).toContain("No answer from Redis");
  isOver = true;
  expect(await cutting).toBeGreaterThan(5);
  api.faults.linkBytesPerSecond = undefined;
  await expect
    .poll(async () => {
      const next = await made.manager.get(slug, version, { fileType: ".img" });
      expect(await collect(next)).toMatchObject(expected);
      return next.committed();
    })
    .toMatchObject({ size: 16 * MiB });
});
