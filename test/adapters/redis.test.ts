/** The Redis store as far as it needs no server: its options, its client, and when its values expire. */
import { describe, expect, test } from "vitest";
import { lifetimeMs } from "../../src/adapters/redis/expiry.ts";
import { redisFailure } from "../../src/adapters/redis/failure.ts";
import { type RedisClient, redisAdapter } from "../../src/adapters/redis/index.ts";

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
    null,
    { cluster: [] },
    { cluster: url },
    { cluster: [url, "http://localhost"] },
    { cluster: [url, "redis://:hush@localhost"] },
    { cluster: [url, "rediss://localhost"] },
    { cluster: ["redis://localhost/3"] },
    { cluster: [url], url },
    { client, cluster: [url] },
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

  test("a client of node-redis is refused by name, with what to pass", () => {
    const nodeRedis = { isOpen: true, connect: () => {}, sendCommand: () => {}, scanIterator: () => {} };
    expect(() => redisAdapter({ client: nodeRedis as never })).toThrow(
      /node-redis \(the package "redis"\): pass a Redis or Cluster of ioredis, or the server as "url"/,
    );
  });

  test("chunks are 1 MiB unless maxValueBytes says otherwise", () => {
    const limitOf = (maxValueBytes?: number) => redisAdapter({ url, maxValueBytes }).capabilities;
    expect(limitOf()).toEqual({ maxValueBytes: KiB * KiB, completeListing: true, tellsProgress: true });
    expect(limitOf(512 * KiB * KiB).maxValueBytes).toBe(512 * KiB * KiB);
  });

  test("a key with half a character is refused: it has no bytes of its own", async () => {
    const store = redisAdapter({ client });
    await expect(store.getItemRaw?.("a\ud800", {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a cluster", () => {
  const slots = (masters: number) =>
    Array.from({ length: masters }, (_, index) => {
      const [from, to] = [
        Math.floor((16384 * index) / masters),
        Math.floor((16384 * (index + 1)) / masters) - 1,
      ];
      return [from, to, ["10.0.0.1", 7000 + index, "id"]];
    });
  const node = (...keys: string[]): RedisClient => ({
    ...client,
    call: async (command: string) =>
      command === "SCAN" ? ["0", keys] : "a 10.0.0.1:7000@17000 myself,master - 0 0 1",
  });
  const twoNodes = () => [node("a:1", "a:2"), node("a:2", "a:3")];
  const cluster = (layouts: unknown[], nodes = twoNodes): RedisClient => ({
    ...client,
    call: async () => (layouts.length > 1 ? layouts.shift() : layouts[0]),
    nodes,
  });
  const list = async (of: RedisClient) => redisAdapter({ client: of }).getKeys("a:", {});

  test("is asked for keys node by node, each key counted once", async () => {
    expect(await list(cluster([slots(2)]))).toEqual(["a:1", "a:2", "a:3"]);
  });

  test.each<[string, RedisClient]>([
    ["its client knows fewer nodes than there are", cluster([slots(3)])],
    ["its client knows none", cluster([slots(2)], () => [])],
    ["a node has gone, and its slots with it", cluster([slots(2).slice(1)], () => [node("a:1")])],
    [
      "slots move during the listing",
      cluster([slots(2), [...slots(2).slice(1), [0, 8191, ["10.0.0.2", 7000]]]]),
    ],
    [
      "keys are moving",
      cluster([slots(1)], () => [
        {
          ...client,
          call: async (command: string) => (command === "SCAN" ? ["0", []] : "a - myself,master [93->-b]"),
        },
      ]),
    ],
  ])("is not listed while %s: what is missing would count as deleted", async (_, of) => {
    await expect(list(of)).rejects.toThrow("The keys of the Redis cluster can't be listed now");
  });
});

test.each([
  "CROSSSLOT Keys in request don't hash",
  "CLUSTERDOWN Hash slot not served",
  "MOVED 93 10.0.0.1:7000",
])(
  "a server that answers %s is a node of a cluster: refused before anything else, with the way out",
  async (answer) => {
    const commands: string[] = [];
    const call = async (command: string) => {
      commands.push(command);
      throw new Error(answer);
    };
    const store = redisAdapter({ client: { call, callBuffer: call } });
    for (const use of [
      () => store.getKeys("a:", {}),
      () => store.removeItem?.("a", {}),
      () => store.clear?.("a", {}),
    ])
      await expect(use()).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("client: new Cluster("),
      });
    expect(new Set(commands)).toEqual(new Set(["EXISTS"]));
  },
);

test("a fault while the server is asked what it is says nothing: the next call asks again", async () => {
  const answers = [new Error("LOADING Redis is loading the dataset in memory"), 0, Buffer.from("x")];
  const call = async () => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const store = redisAdapter({ client: { call, callBuffer: call } });
  await expect(store.getItemRaw?.("a", {})).rejects.toThrow("LOADING");
  expect(await store.getItemRaw?.("a", {})).toEqual(new Uint8Array([120]));
});

test("a password of one letter is no reason to blot out the letter", async () => {
  const store = redisAdapter({ url: "redis://:e@127.0.0.1:1" });
  await expect(store.hasItem("k", {})).rejects.toThrow(
    "No answer from Redis: connect ECONNREFUSED 127.0.0.1:1",
  );
  await store.dispose();
});

test("a copied error holds neither the command nor a secret, in no shape", () => {
  const error = Object.assign(new Error("ERR unknown command `AUTH`, with args beginning with: `s3cret`"), {
    name: "ReplyError",
    command: { name: "auth", args: ["s3cret"] },
  });
  const copy = redisFailure(error, ["s3cret"]);
  expect(copy).toMatchObject({ name: "ReplyError", message: expect.stringContaining("[secret]") });
  // To blot a letter would hide nothing and make every message unreadable.
  expect(redisFailure(new Error("next example"), ["x"]).message).toBe("next example");
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
