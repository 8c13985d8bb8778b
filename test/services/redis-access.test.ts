/** A Redis that lets in only who proves who they are: TLS, and users who may send no command but those that the docs name. */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, describe, expect, test } from "vitest";
import { freePort } from "../../scripts/services/daemon.ts";
import { type RedisAdapterOptions, redisAdapter } from "../../src/adapters/redis/index.ts";
import { collect, rejection } from "../support/collect.ts";
import { startTestRedisCluster } from "../support/redis-cluster.ts";
import { startTestRedis } from "../support/redis-server.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const api = await sharedApi({ imageBytes: 4 * MiB, holeFree: true });
const expected = { sha256: await api.image(slug, version).sha256 };
const keyPrefix = "images:";

/** All that a manager does with a store, through the store's options. */
async function useStore(options: RedisAdapterOptions) {
  const storage = redisAdapter({ keyPrefix, ...options });
  const { manager, events } = createTestManager(api, { storage, maxBytes: 64 * MiB });
  await manager.prefetch(slug, version);
  expect(await manager.pin(slug, version)).toBe(true);
  expect(await collect(await manager.get(slug, version, { cache: "only-if-cached" }))).toMatchObject(
    expected,
  );
  for (let round = 0; round < 2; round++) await manager.prune({});
  expect(await manager.verify()).toMatchObject({ damaged: [] });
  expect(await manager.remove(slug, version)).toBe(true);
  await manager.prefetch(slug, version);
  await manager.cleanCache();
  expect(await storage.getKeys("", {})).toEqual([]);
  expect(events.of("store-fault")).toEqual([]);
  await manager.close();
  await storage.dispose();
}

describe("a user with the commands that docs/operations.md names", async () => {
  const docs = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");
  const rule = /ACL SETUSER images on >password (.*)/.exec(docs)?.[1]?.split(" ") ?? [];
  /** The commands of a row of its table. */
  const named = (what: string) =>
    docs
      .split("\n")
      .find((line) => line.startsWith(`| ${what} `))
      ?.match(/\+[\w\\|]+/g)
      ?.map((command) => command.replace("\\", "")) ?? [];
  const withExpiry = named("`expireAfterMs`");
  const inCluster = named("a cluster");
  const noWarning = named("no warning of ioredis");
  const user = (...rules: string[]) => ["--user", "images", "on", ">password", ...rules];
  const login = (url = "") => url.replace("//", "//images:password@");

  test("finds them there", () => {
    expect(rule).toContain("+getrange");
    expect(withExpiry).toContain("+pttl");
    expect(inCluster).toContain("+cluster|slots");
    expect(noWarning).toEqual(["+info"]);
  });

  test.each([
    ["a single server", [] as string[], {}],
    ["a single server, quietly", noWarning, {}],
    ["values that expire", withExpiry, { expireAfterMs: 600_000 }],
  ])("needs no other for %s", async (_, more, options) => {
    const server = await startTestRedis(...user(...rule, ...more));
    try {
      await useStore({ url: login(server.url), ...options });
    } finally {
      await server.stop();
    }
  });

  test("needs each of them, and says which one it lacks", async () => {
    const server = await startTestRedis(...user(...rule));
    const admin = new Redis(server.url);
    const store = redisAdapter({ url: login(server.url), keyPrefix });
    const bytes = new Uint8Array(3);
    const calls: Record<string, () => unknown> = {
      get: () => store.getItemRaw?.("a", {}),
      getrange: () => store.getItemRaw?.("a", { maxBytes: 10 }),
      exists: () => store.hasItem("a", {}),
      set: () => store.setItemRaw?.("a", bytes, {}),
      unlink: () => store.removeItem?.("a", {}),
      scan: () => store.getKeys("a", {}),
    };
    expect(Object.keys(calls).map((command) => `+${command}`)).toEqual(
      rule.filter((word) => word.startsWith("+")),
    );
    for (const [command, call] of Object.entries(calls)) {
      await admin.call("ACL", "SETUSER", "images", `-${command}`);
      const failure = await rejection(Promise.resolve().then(call));
      expect(String(failure)).toMatch(new RegExp(`NOPERM.*'${command}'`));
      await admin.call("ACL", "SETUSER", "images", `+${command}`);
      await call();
    }
    expect(
      String(
        await rejection(
          Promise.resolve(redisAdapter({ url: login(server.url), keyPrefix: "x:" }).hasItem("a", {})),
        ),
      ),
    ).toContain("NOPERM");
    admin.disconnect();
    await store.dispose();
    await server.stop();
  });

  test("needs no other for a cluster", async () => {
    const cluster = await startTestRedisCluster(3, ...user(...rule, ...inCluster));
    try {
      await useStore({ cluster: cluster.urls.map(login) });
    } finally {
      await cluster.stop();
    }
  });
});

describe("TLS", async () => {
  const directory = await mkdtemp(join(tmpdir(), "test-redis-tls-"));
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "certificate.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-keyout",
      key,
      "-out",
      certificate,
      ...subject,
    ],
    { stdio: "ignore" },
  );
  const port = await freePort();
  const files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate];
  const server = await startTestRedis("--tls-port", String(port), "--tls-auth-clients", "no", ...files);
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });
  const url = `rediss://127.0.0.1:${port}`;
  const ca = await readFile(certificate, "utf8");

  test("with the server's authority, by rediss:", async () => {
    await useStore({ url, connection: { tls: { ca } } });
  });

  test("with an authority that nobody knows is refused before anything is sent", async () => {
    const store = redisAdapter({ url, timeoutMs: 2_000 });
    expect(String(await rejection(Promise.resolve(store.hasItem("a", {}))))).toMatch(
      /self-signed certificate/,
    );
    await store.dispose();
  });

  test("that one side speaks alone is an error, and no wait without end", async () => {
    for (const wrong of [url.replace("rediss", "redis"), server.url.replace("redis:", "rediss:")]) {
      const store = redisAdapter({ url: wrong, timeoutMs: 1_000 });
      expect(String(await rejection(Promise.resolve(store.hasItem("a", {}))))).toContain(
        "No answer from Redis",
      );
      await store.dispose();
    }
  });
});
