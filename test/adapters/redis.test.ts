/** The Redis store as far as it needs no server: its options, its client, and when its values expire. */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lifetimeMs } from "../../src/adapters/redis/expiry.ts";
import { redisFailure } from "../../src/adapters/redis/failure.ts";
import { redisAdapter } from "../../src/adapters/redis/index.ts";

const url = "redis://localhost:6379";
const client = { call: async () => null, callBuffer: async () => null };
const KiB = 1024;

describe("options", () => {
  test.each([
    undefined,
    {},
    { url: "" },
    { url: "http://localhost" },
    { url: "localhost:6379" },
    { url: 5 },
    { url: "redis://user:hush@[" },
    { connection: "localhost" },
    { client: {} },
    { client: null },
    { client, url },
    { client, timeoutMs: 5 },
    { url, timeoutMs: 0 },
    { url, timeoutMs: 2 ** 31 },
    { url, keyPrefix: 5 },
    { url, keyPrefix: "\ud800" },
    { url, maxValueBytes: 256 * KiB - 1 },
    { url, maxValueBytes: 512 * KiB * KiB + 1 },
    { url, expireAfterMs: 59_999 },
    { url, expireAfterMs: Number.POSITIVE_INFINITY },
  ])("%o is refused, without a word about a password", (options) => {
    expect(() => redisAdapter(options as never)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    expect(() => redisAdapter(options as never)).not.toThrow("hush");
  });

  test("chunks are 1 MiB unless maxValueBytes says otherwise", () => {
    const limitOf = (maxValueBytes?: number) => redisAdapter({ url, maxValueBytes }).capabilities;
    expect(limitOf()).toEqual({ maxValueBytes: KiB * KiB, completeListing: true });
    expect(limitOf(512 * KiB * KiB).maxValueBytes).toBe(512 * KiB * KiB);
  });

  test("a key with half a character is refused: it has no bytes of its own", async () => {
    const store = redisAdapter({ client });
    await expect(store.getItemRaw?.("a\ud800", {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

test("a missing ioredis is named, with how to get it", async () => {
  // Copied to where no node_modules is in reach.
  const directory = await mkdtemp(join(tmpdir(), "no-ioredis-"));
  try {
    await cp(new URL("../../src", import.meta.url), join(directory, "src"), { recursive: true });
    await writeFile(join(directory, "package.json"), '{ "type": "module" }');
    const code = `import { redisAdapter } from "./src/adapters/redis/index.ts";
      const store = redisAdapter({ url: "${url}" });
      await store.hasItem("k", {}).catch((error) => console.log(error.message, error.cause.code));
      await store.dispose();`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: directory,
      encoding: "utf8",
    });
    expect(stdout).toMatch(
      /redisAdapter needs the package "ioredis".*npm install ioredis.* ERR_MODULE_NOT_FOUND/,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("a cluster is asked for keys node by node, each key counted once", async () => {
  const node = (...keys: string[]) => ({ ...client, call: async () => ["0", keys] });
  const cluster = { ...client, nodes: () => [node("a:1", "a:2"), node("a:2", "a:3")] };
  expect(await redisAdapter({ client: cluster }).getKeys("a:", {})).toEqual(["a:1", "a:2", "a:3"]);
  const lost = { ...client, nodes: () => [] };
  await expect(redisAdapter({ client: lost }).getKeys("a:", {})).rejects.toThrow("no node");
});

test("a copied error holds neither the command nor a secret, in no shape", () => {
  const error = Object.assign(new Error("ERR unknown command `AUTH`, with args beginning with: `s3cret`"), {
    name: "ReplyError",
    command: { name: "auth", args: ["s3cret"] },
  });
  const copy = redisFailure(error, ["s3cret"]);
  expect(copy).toMatchObject({ name: "ReplyError", message: expect.stringContaining("[secret]") });
  expect(JSON.stringify([copy, Object.getOwnPropertyNames(copy), copy.stack])).not.toMatch(/s3cret|command"/);
});

describe("expiry", () => {
  const hourMs = 60 * 60 * 1000;
  const expireAfterMs = 48 * hourMs;
  test.each([
    ["p:v1:chunks:ab:abcd", 0, 72 * hourMs],
    ["p:v1:partials:pi~1~ab:1:0", 0, 12 * hourMs],
    ["p:v1:images:pi~1~ab", -2, 48 * hourMs],
    ["p:v1:images:pi~1~ab", -1, 48 * hourMs],
    ["p:v1:images:pi~1~ab", hourMs, hourMs],
    ["p:v1:images:pi~1~ab", 50 * hourMs, 48 * hourMs],
    ["v1:chunks:ab:abcd", 0, 72 * hourMs],
    ["p:v1:uses:pi~1~ab", 0, 48 * hourMs],
    ["v1:chunks:v1:images:pi~1~ab", hourMs, hourMs],
    ["xv1:chunks:ab", 0, 48 * hourMs],
  ])("%s, with %d ms left, lives %d ms", async (key, leftMs, expectedMs) => {
    expect(await lifetimeMs(key, expireAfterMs, async () => leftMs)).toBe(expectedMs);
  });
});
