/** A Redis that is gone, comes back, hangs or refuses the password: fast errors without secrets, and whole images. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { collect, rejection } from "../support/collect.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const api = await sharedApi({ imageBytes: 16 * MiB, holeFree: true, downloads: "with-validators" });
const server = await startTestRedis();
afterAll(() => server.stop());
const expected = async () => ({ sha256: (await api.image(slug, version)).sha256 });

/** What a call rejects with, and after how long. */
async function timedRejection(call: () => unknown) {
  const startMs = performance.now();
  const error = await rejection(Promise.resolve().then(call));
  return { error, tookMs: performance.now() - startMs };
}

describe("a server that dies in the middle of a transfer", () => {
  const options = { fileType: ".img" } as const;

  test.each(["stays away", "is soon back, empty"])(
    "and %s: every byte is delivered, now and then",
    async (what) => {
      const storage = redisAdapter({ url: server.url, timeoutMs: 2_000 });
      const { manager, events } = createTestManager(api, { storage, chunkBytes: MiB });
      api.faults.linkBytesPerSecond = 8 * MiB;
      const image = await manager.get(slug, version, options);
      const delivered = collect(image);
      await expect.poll(() => api.counters.bytesSent).toBeGreaterThan(4 * MiB);
      await server.kill();
      if (what !== "stays away") await server.start();
      expect(await delivered).toMatchObject(await expected());
      if (what === "stays away") {
        expect(events.types()).toContain("store-fault");
        expect(await image.committed()).toBe(undefined);
        await server.start();
      }

      api.faults.linkBytesPerSecond = undefined;
      // The client that lost its connection finds the new server by itself.
      await expect
        .poll(() => Promise.resolve(storage.hasItem("x", {})).catch(String), { timeout: 5_000 })
        .toBe(false);
      for (let round = 0; round < 2; round++)
        expect(await collect(await manager.get(slug, version, options))).toMatchObject(await expected());
      expect(await (await manager.get(slug, version, options)).committed()).toMatchObject({ size: 16 * MiB });
      await manager.close();
      await storage.clear?.("balena-images", {});
      await storage.dispose();
    },
  );
});

describe("a server that can't be reached", () => {
  test("is an error within a second that says why, time and again", async () => {
    const storage = redisAdapter({ url: "redis://user:hush-hush@127.0.0.1:1" });
    for (let call = 0; call < 3; call++) {
      const { error, tookMs } = await timedRejection(() => storage.getItemRaw?.("k", {}));
      expect(String(error)).toContain("ECONNREFUSED");
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("hush-hush");
      expect(tookMs).toBeLessThan(4_000);
    }
    await storage.dispose();
  });

  test("and one that hangs is an error after timeoutMs", async () => {
    const storage = redisAdapter({ url: server.url, timeoutMs: 300 });
    await storage.hasItem("k", {});
    server.signal("SIGSTOP");
    try {
      const { error, tookMs } = await timedRejection(() => storage.getItemRaw?.("k", {}));
      expect(String(error)).toContain("the time is up");
      expect(tookMs).toBeLessThan(4_000);
      const fresh = redisAdapter({ url: server.url, timeoutMs: 300 });
      expect((await timedRejection(() => fresh.getItemRaw?.("k", {}))).tookMs).toBeLessThan(4_000);
      await fresh.dispose();
    } finally {
      server.signal("SIGCONT");
    }
    await expect.poll(() => storage.hasItem("k", {})).toBe(false);
    await storage.dispose();
  });
});

describe("a server with a password", () => {
  let locked: Awaited<ReturnType<typeof startTestRedis>>;
  beforeAll(async () => {
    locked = await startTestRedis("--user", "cache", "on", ">p%40ss&word", "~*", "+@all");
  });
  afterAll(() => locked.stop());
  const at = (credentials: string) => locked.url.replace("//", `//${credentials}@`);

  test("takes the right one, percent-encoded", async () => {
    const storage = redisAdapter({ url: at(`cache:${encodeURIComponent("p%40ss&word")}`) });
    expect(await storage.hasItem("k", {})).toBe(false);
    await storage.dispose();
  });

  test.each([
    ["in the URL", () => redisAdapter({ url: at("cache:wr%40ng-secret") })],
    [
      "in the options",
      () => redisAdapter({ url: locked.url, connection: { username: "cache", password: "wr@ng-secret" } }),
    ],
  ])("refuses a wrong one %s with an error that does not hold it", async (_, create) => {
    const storage = create();
    const { error, tookMs } = await timedRejection(() => storage.setItemRaw?.("k", new Uint8Array([1]), {}));
    expect(String(error)).toContain("WRONGPASS");
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/wr(@|%40)ng-secret/);
    expect(inspect(storage, { depth: 10 })).not.toMatch(/wr(@|%40)ng-secret/);
    expect(tookMs).toBeLessThan(4_000);
    await storage.dispose();
  });

  test("is a store fault to a get, which delivers", async () => {
    const storage = redisAdapter({ url: at("cache:wr%40ng-secret") });
    const { manager, events } = createTestManager(api, { storage, chunkBytes: MiB });
    expect(await collect(await manager.get(slug, version))).toMatchObject(await expected());
    expect(events.types()).toContain("store-fault");
    expect(inspect(events.all, { depth: 10 })).not.toMatch(/wr(@|%40)ng-secret/);
    await manager.close();
    await storage.dispose();
  });
});

test.each([
  ["after a call", "await store.hasItem('k', {}); await store.dispose();", () => server.url],
  [
    "while it tries in vain",
    "await store.hasItem('k', {}).catch(() => {}); await store.dispose();",
    () => "redis://127.0.0.1:1",
  ],
  ["unused", "", () => server.url],
])("a script ends by itself after dispose: %s", async (_, code, url) => {
  const adapter = new URL("../../src/adapters/redis/index.ts", import.meta.url).href;
  const script = `import { redisAdapter } from ${JSON.stringify(adapter)};
    const store = redisAdapter({ url: process.argv[1] }); ${code}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, url()], { stdio: "inherit" });
  const timer = setTimeout(() => child.kill("SIGKILL"), 8_000);
  expect(await once(child, "exit")).toEqual([0, null]);
  clearTimeout(timer);
});
