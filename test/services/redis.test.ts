/** The Redis store against a real server: the contract, what redis-cli sees of it, and whom it leaves alone. */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { storeContract } from "../contract/store-contract.ts";
import { patternOf } from "../contract/store-contract-support.ts";
import { contractHost } from "../support/contract-host.ts";
import { startTestRedis } from "../support/redis-server.ts";

const server = await startTestRedis();
const { url } = server;
const strangers = new Redis(url);
beforeEach(() => strangers.flushall());
afterAll(async () => {
  strangers.disconnect();
  await server.stop();
});

const cli = (...args: string[]) =>
  execFileSync("redis-cli", ["-u", url, ...args], { encoding: "buffer", maxBuffer: 2 ** 26 });
const cliLines = (...args: string[]) =>
  cli(...args)
    .toString()
    .split("\n")
    .filter(Boolean)
    .sort();
const chunk = `p:v1:chunks:ab:${"ab".repeat(32)}`;

describe.each([
  ["contract", () => ({ url })],
  ["contract, with a key prefix full of wildcards", () => ({ url, keyPrefix: "p*?[a-z]^\\:" })],
  ["contract, with expiry", () => ({ url, expireAfterMs: 60_000 })],
  ["contract, over a client of the caller's", () => ({ client: strangers })],
])("%s", async (_, options) => {
  await storeContract({
    ...contractHost,
    create: async () => {
      await strangers.flushall();
      return redisAdapter(options());
    },
  });
});

describe("what is there for other clients", () => {
  test("is the bytes themselves, under the key itself", async () => {
    const store = redisAdapter({ url, keyPrefix: "mine/" });
    const bytes = patternOf(1024 * 1024);
    await store.setItemRaw?.(chunk, bytes, {});
    expect(cliLines("keys", "*")).toEqual([`mine/${chunk}`]);
    // It ends its output with a line break.
    const seen = cli("get", `mine/${chunk}`).subarray(0, -1);
    expect(Buffer.compare(seen, bytes)).toBe(0);
    expect(cli("pttl", `mine/${chunk}`).toString().trim()).toBe("-1");
    await store.dispose();
  });

  test("a client's own key prefix comes first, in listings too", async () => {
    const client = new Redis(url, { keyPrefix: "their*:" });
    const store = redisAdapter({ client, keyPrefix: "mine:" });
    for (const key of ["a", "b:c"]) await store.setItemRaw?.(key, patternOf(9), {});
    await strangers.set("theirs:mine:x", "stranger");
    expect(cliLines("keys", "*")).toEqual(["their*:mine:a", "their*:mine:b:c", "theirs:mine:x"]);
    expect((await store.getKeys("", {})).sort()).toEqual(["a", "b:c"]);
    await store.clear?.("", {});
    expect(cliLines("keys", "*")).toEqual(["theirs:mine:x"]);
    await store.dispose();
    expect(await client.ping()).toBe("PONG");
    client.disconnect();
  });

  test("the database of the URL is the one that is used", async () => {
    const store = redisAdapter({ url: `${url}/3` });
    await store.setItemRaw?.("k", patternOf(9), {});
    expect([cliLines("-n", "3", "keys", "*"), cliLines("keys", "*")]).toEqual([["k"], []]);
    await store.dispose();
  });

  test("the client that it makes is gone after dispose, and calls reject", async () => {
    const clients = async () =>
      Number(/connected_clients:(\d+)/.exec(String(await strangers.info("clients")))?.[1]);
    const before = await clients();
    const store = redisAdapter({ url });
    await store.hasItem("k", {});
    expect(await clients()).toBe(before + 1);
    await store.dispose();
    await expect.poll(clients).toBe(before);
    await expect(store.hasItem("k", {})).rejects.toThrow("disposed");
  });
});

describe("expireAfterMs", () => {
  const hourMs = 60 * 60 * 1000;
  const lifeMs = (key: string) => strangers.pttl(key);
  const image = "p:v1:images:pi~1~ab";

  test("lets chunks outlive journals and images, and a rewritten manifest live no longer", async () => {
    const store = redisAdapter({ url, expireAfterMs: hourMs });
    const partial = "p:v1:partials:pi~1~ab:1:0";
    for (const key of [chunk, partial, image, "p:v1:uses:pi~1~ab"])
      await store.setItemRaw?.(key, patternOf(9), {});
    await store.createIfAbsent?.("p:v1:leases:pi~1~ab:1", patternOf(9));
    const soon = (expectedMs: number) => [expectedMs - 5_000, expectedMs] as const;
    for (const [key, [from, to]] of [
      [chunk, soon(25 * hourMs)],
      [partial, soon(12 * hourMs)],
      [image, soon(hourMs)],
      ["p:v1:uses:pi~1~ab", soon(hourMs)],
      ["p:v1:leases:pi~1~ab:1", soon(hourMs)],
    ] as const) {
      expect(await lifeMs(key), key).toBeGreaterThan(from);
      expect(await lifeMs(key), key).toBeLessThanOrEqual(to);
    }
    await strangers.pexpire(image, 10_000);
    await store.setItemRaw?.(image, patternOf(8), {});
    expect(await lifeMs(image)).toBeLessThanOrEqual(10_000);
    await strangers.persist(image);
    await store.setItemRaw?.(image, patternOf(7), {});
    expect(await lifeMs(image)).toBeLessThanOrEqual(hourMs);
    expect(await lifeMs(image)).toBeGreaterThan(0);
    await store.dispose();
  });

  test("a value that has expired is gone", async () => {
    const store = redisAdapter({ url, expireAfterMs: hourMs });
    await store.setItemRaw?.(image, patternOf(9), {});
    await strangers.pexpire(image, 1);
    await expect.poll(() => store.getItemRaw?.(image, {})).toBe(null);
    await store.dispose();
  });
});

test("clear without a level and without a prefix is refused: the database is seldom ours alone", async () => {
  const store = redisAdapter({ url });
  await strangers.set("stranger", "1");
  await expect(store.clear?.("", {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(cliLines("keys", "*")).toEqual(["stranger"]);
  await store.dispose();
});

test("the permissions that docs/operations.md names are enough, and each of them is needed", async () => {
  const docs = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");
  const [, rules = ""] = /^ACL SETUSER images (.*)$/m.exec(docs) ?? [];
  const commands = rules.split(" ").filter((rule) => rule.startsWith("+"));
  const use = async () => {
    const store = redisAdapter({ url: url.replace("//", "//images:password@"), keyPrefix: "images:" });
    try {
      await store.createIfAbsent?.("a", patternOf(9));
      await store.setItemRaw?.("a", patternOf(9), {});
      for (const options of [{}, { maxBytes: 9 }])
        expect(await store.getItemRaw?.("a", options)).toEqual(patternOf(9));
      expect([await store.hasItem("a", {}), await store.getKeys("", {})]).toEqual([true, ["a"]]);
      await store.removeItem?.("a", {});
    } finally {
      await store.dispose();
    }
  };
  const setUser = (rule: string) => strangers.call("ACL", "SETUSER", "images", ...rule.split(" "));
  await setUser(`reset ${rules}`);
  await use();
  for (const command of commands) {
    await setUser(command.replace("+", "-"));
    await expect(use()).rejects.toThrow("NOPERM");
    await setUser(command);
  }
  await strangers.call("ACL", "DELUSER", "images");
});

test("a key that holds another type is an error, and it says so without the value", async () => {
  const store = redisAdapter({ url });
  await strangers.lpush("list", "x");
  await expect(store.getItemRaw?.("list", {})).rejects.toThrow("WRONGTYPE");
  await store.dispose();
});
