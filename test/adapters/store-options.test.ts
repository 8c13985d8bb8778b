/** The factories of all stores speak alike about options: what is no object, what is of the wrong type, which name is meant. */
import { describe, expect, test } from "vitest";
import { azureBlobAdapter } from "../../src/adapters/azure-blob/index.ts";
import { r2Adapter } from "../../src/adapters/cloudflare-r2/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { s3Adapter } from "../../src/adapters/s3/index.ts";
import { tieredAdapter } from "../../src/adapters/tiered/index.ts";

const none = async () => null;
const binding = { head: none, get: none, put: none, delete: none, list: none };
const client = { call: none, callBuffer: none };
const s3 = { bucket: "bucket", region: "auto", accessKeyId: "a", secretAccessKey: "b" };

type Factory = (options: never) => unknown;
const factories: [name: string, factory: Factory, sound: object, wrong: Record<string, unknown[]>][] = [
  ["memoryAdapter", memoryAdapter, {}, { maxBytes: [-1, 1.5, "1", null] }],
  [
    "fsAdapter",
    fsAdapter,
    { base: "x" },
    {
      base: [undefined, null, "", 5, {}, "a\0b"],
      fsync: ["yes", null, 1],
      maxOpenFiles: [0, "1", null],
      mode: [0, "6", null],
    },
  ],
  [
    "s3Adapter",
    s3Adapter,
    s3,
    {
      bucket: [undefined, null, "", "A", 5],
      region: [undefined, null, "", 5],
      endpoint: ["x", 5, null, "ftp://x", "http://a:b@x"],
      keyPrefix: [5, null, "../"],
      style: ["x", null, 5],
      maxAttempts: [0, "1", null],
      timeoutMs: [0, "1", null, 2 ** 31],
      fetch: [1, null, "fetch", {}],
      accessKeyId: [undefined, null, 5, "with space"],
      secretAccessKey: [undefined, null, 5],
      sessionToken: [5, "\n"],
    },
  ],
  [
    "azureBlobAdapter",
    azureBlobAdapter,
    { url: "https://account.blob.core.windows.net/images?sv=1&sig=hush" },
    {
      url: ["x", 5, null, "ftp://x/y", "http://a:b@x/y", "https://account.blob.core.windows.net/"],
      keyPrefix: [5, null, "../"],
      timeoutMs: [0, "1", null, 2 ** 31],
      credential: [5, null, {}],
      container: ["images"],
      client: [{}],
      connectionString: ["AccountName=a"],
    },
  ],
  [
    "azureBlobAdapter",
    azureBlobAdapter,
    { connectionString: "AccountName=a;AccountKey=aHVzaA==", container: "images" },
    {
      connectionString: [undefined, null, 5, "hush"],
      container: [undefined, null, "A", "a--b", "ab", 5, "a/b"],
    },
  ],
  [
    "redisAdapter",
    redisAdapter,
    { client },
    {
      client: [null, 5, {}],
      keyPrefix: [5, null],
      maxValueBytes: [0, "1", null],
      expireAfterMs: [0, "1", null],
      url: ["redis://x"],
      cluster: [["redis://x"]],
      timeoutMs: [5],
    },
  ],
  [
    "r2Adapter",
    r2Adapter,
    { binding },
    { binding: [undefined, null, 5, {}, { ...binding, list: 1 }], keyPrefix: [5, null] },
  ],
  [
    "tieredAdapter",
    tieredAdapter,
    { near: memoryAdapter(), far: memoryAdapter() },
    {
      near: [undefined, null, 5, {}, { getItem: none, getKeys: none, hasItem: none }],
      far: [undefined, null, 5, {}, { getItem: none, getKeys: none, hasItem: none }],
      nearMaxBytes: [-1, 1.5, "1", null],
      farReadOnly: ["yes", null, 1],
      farTimeoutMs: [0, "1", null],
    },
  ],
];

describe.each(factories)("%s", (name, factory, sound, wrong) => {
  const failureOf = (options: unknown) => {
    try {
      factory(options as never);
    } catch (error) {
      return error;
    }
    return undefined;
  };

  test("takes sound options", () => {
    expect(failureOf(sound)).toBeUndefined();
  });

  test.each([null, 5, "x", true, ...(name === "memoryAdapter" ? [] : [undefined])])(
    "refuses %o in their place",
    (options) => {
      expect(failureOf(options)).toMatchObject({
        code: "INVALID_ARGUMENT",
        message: `The options of ${name} must be an object`,
      });
    },
  );

  test.each(
    Object.entries(wrong).flatMap(([option, values]) => values.map((value) => [option, value] as const)),
  )('refuses "%s": %o, and quotes the name', (option, value) => {
    expect(failureOf({ ...sound, [option]: value })).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`"${option}"`),
    });
  });
});
