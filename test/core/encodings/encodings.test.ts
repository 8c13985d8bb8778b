// Chunks that lie encoded: what a get stores and reads, what a manager can't decode, and what must never come out.
import { randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { gzipEncoding, nodeHash, zstdEncoding } from "../../../src/adapters/node/index.ts";
import type { ImageManagerError, StoreError } from "../../../src/core/index.ts";
import { arrayOf, collect, rejection } from "../../support/collect.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf, type Damage, damage, keysOf, read, write } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { bytesIn, encodings, formOf, formsIn, recode, toldAndTrue } from "./support.ts";

const api = await sharedApi({ imageBytes: 3 * 1024 * 1024, downloads: "with-validators" });
const image = api.image(slug, version);
const sha256 = await image.sha256;
const freshness = { maxAgeMs: 1e9 };
const offline = { cache: "only-if-cached" } as const;

async function filled(options: TestManagerOptions = {}) {
  const storage = faultyDriver(memoryAdapter());
  const made = createTestManager(api, { storage, freshness, ...options });
  const stream = await made.manager.get(slug, version);
  expect((await collect(stream)).sha256).toBe(sha256);
  const info = (await stream.committed())!;
  made.events.clear();
  api.counters.reset();
  return {
    ...made,
    storage,
    info,
    keys: (await chunkKeysOf(storage, info.id)).filter((key) => key !== undefined),
  };
}

const readBy = async (storage: ReturnType<typeof memoryAdapter>, options: TestManagerOptions = {}) =>
  (
    await collect(
      await createTestManager(api, { storage, freshness, ...options }).manager.get(slug, version, offline),
    )
  ).sha256;

describe.each(encodings)("%s", (_, encoding) => {
  test("chunks lie encoded, the manifest says how, and they are read", async () => {
    const { manager, storage, info } = await filled({ encoding: encoding() });
    expect(await formsIn(storage)).toEqual(new Set([encoding().format]));
    const told = await toldAndTrue(storage, info.id);
    expect(told.told).toEqual(told.true);
    expect(await bytesIn(storage)).toBeLessThan(1.2 * (await image.gzBytes()));
    expect((await collect(await manager.get(slug, version, offline))).sha256).toBe(sha256);
    expect(await readBy(storage, { encoding: encoding(), hash: nodeHash })).toBe(sha256);
    expect(api.counters.transfers).toBe(0);
  });

  test("the image has the ETag of one that lies raw", async () => {
    expect((await filled({ encoding: encoding() })).info.etag).toBe((await filled()).info.etag);
  });

  test("a range of a KiB reads one chunk", async () => {
    const { manager, storage, info } = await filled({ encoding: encoding() });
    const whole = await image.bytes();
    storage.calls.length = 0;
    const range = { start: chunkBytes + 7, end: chunkBytes + 7 + 1024 };
    const pieces: Uint8Array[] = [];
    for await (const piece of await manager.get(slug, version, { ...offline, range })) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(whole.subarray(range.start, range.end))).toBe(true);
    expect(storage.calls.filter(({ key }) => key.includes(":chunks:"))).toHaveLength(1);
    expect(info.size).toBe(whole.length);
  });

  test.each<Damage>(["flip", "short", "long", "empty", "missing", "zeros"])(
    "a chunk that is damaged (%s) is fetched again, and put back as it was",
    async (how) => {
      const { manager, storage, info, keys, events } = await filled({ encoding: encoding() });
      const before = await read(storage, keys[2]!);
      await damage(storage, keys[2]!, how);
      expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
      // Some bits of a gzip member mean nothing, and bytes after its end may be passed over.
      if (
        formOf(await read(storage, keys[2]!)) !== "gzip" ||
        ["missing", "short", "zeros", "empty"].includes(how)
      )
        expect(events.types()).toContain("healed");
      if (events.types().includes("healed")) expect(await read(storage, keys[2]!)).toEqual(before);
      const told = await toldAndTrue(storage, info.id);
      if (events.types().includes("healed")) expect(told.told).toEqual(told.true);
      expect(await readBy(storage, { encoding: encoding() })).toBe(sha256);
    },
  );

  test("verify finds no fault with them, and finds a damaged one", async () => {
    const { manager, storage, keys } = await filled({ encoding: encoding() });
    expect(await manager.verify()).toMatchObject({ damaged: [], chunks: keys.length });
    await damage(storage, keys[1]!, "short");
    expect((await manager.verify()).damaged).toHaveLength(1);
    expect((await manager.verify({ repair: true })).damaged).toMatchObject([{ isRepaired: true }]);
    expect((await manager.verify()).damaged).toEqual([]);
  });

  test("noise is stored as it is", async () => {
    const bytes = new Uint8Array(randomBytes(chunkBytes));
    const encoded = await encoding().encode(bytes);
    expect(encoded.length).toBeGreaterThan(0.97 * chunkBytes);
    const { storage, keys } = await filled({ encoding: { ...encoding(), encode: async () => encoded } });
    expect(await formsIn(storage)).toEqual(new Set(["raw"]));
    expect(keys.length).toBeGreaterThan(3);
  });
});

describe("what every manager reads", () => {
  test("gzip, without an option", async () => {
    const { storage } = await filled({ encoding: gzipEncoding() });
    expect(await readBy(storage)).toBe(sha256);
    expect(api.counters.requests).toBe(0);
  });

  test("raw, gzip and zstd, one with the other", async () => {
    const { storage, keys } = await filled({ encoding: gzipEncoding() });
    for (const [index, key] of keys.entries())
      await recode(storage, key, (["raw", "gzip", "zstd"] as const)[index % 3]!);
    expect(await readBy(storage, { encoding: zstdEncoding() })).toBe(sha256);
    expect(await readBy(storage, { encoding: gzipEncoding() })).toBe(sha256);
    expect(api.counters.requests).toBe(0);
  });
});

describe("a value that decodes to too much, or to other bytes, is damaged", () => {
  const zeros = new Uint8Array(256 * 1024 * 1024);
  test.each([
    ["a gzip bomb", gzipSync(zeros)],
    ["a zstd bomb", zstdCompressSync(zeros)],
    ["another chunk in gzip", gzipSync(randomBytes(chunkBytes))],
    ["another chunk in zstd", zstdCompressSync(randomBytes(chunkBytes))],
    ["the magic number of gzip alone", Uint8Array.of(0x1f, 0x8b, 8)],
    ["the magic number of zstd alone", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)],
    [
      "a chunk's length that begins like gzip",
      Buffer.concat([Uint8Array.of(0x1f, 0x8b, 8), randomBytes(chunkBytes - 3)]),
    ],
  ])("%s", async (_, value) => {
    for (const encoding of [undefined, zstdEncoding()]) {
      if (encoding === undefined && formOf(value) === "zstd") continue;
      const { manager, storage, keys, events } = await filled({ encoding });
      await write(storage, keys[0]!, new Uint8Array(value));
      const before = process.memoryUsage().arrayBuffers;
      expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
      expect(events.types()).toContain("healed");
      await write(storage, keys[0]!, new Uint8Array(value));
      const reading = manager.get(slug, version, offline).then(collect);
      expect(await rejection(reading)).toMatchObject({ code: "INTEGRITY" });
    }
  });
});

describe("a manager that can't decode what is stored", () => {
  const unreadable = async () => {
    const { storage, keys, info } = await filled({ encoding: zstdEncoding() });
    const values = () => Promise.all(keys.map((key) => read(storage, key)));
    return { ...createTestManager(api, { storage, freshness }), storage, keys, info, values };
  };

  test("takes the image from the upstream, says why, and leaves the store as it is", async () => {
    const { manager, events, values } = await unreadable();
    const before = await values();
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    const faults = events.of("store-fault").map(({ cause }) => cause as StoreError);
    expect(faults).toMatchObject([
      { code: "STORE", format: "zstd", message: expect.stringContaining("zstdEncoding()") },
    ]);
    expect(events.types()).not.toContain("healed");
    expect(await values()).toEqual(before);
  });

  test("says so if the cache is all that it may ask", async () => {
    const { manager } = await unreadable();
    const failure = (await rejection(manager.get(slug, version, offline).then(collect))) as ImageManagerError;
    expect(failure).toMatchObject({
      code: "STORE",
      format: "zstd",
      message: expect.stringContaining("zstd"),
    });
    expect(failure.message).not.toMatch(/damaged/);
  });

  test("can't verify it, and repairs nothing", async () => {
    const { manager, values } = await unreadable();
    const before = await values();
    expect(await rejection(manager.verify({ repair: true }))).toMatchObject({
      code: "STORE",
      format: "zstd",
    });
    expect(await values()).toEqual(before);
  });
});

describe("room", () => {
  test("is counted as the chunks are stored: an image that fits only encoded is stored", async () => {
    const storage = memoryAdapter();
    const maxBytes = Math.round(1.15 * (await image.gzBytes()));
    const raw = createTestManager(api, { maxBytes });
    await collect(await raw.manager.get(slug, version));
    expect(raw.events.types()).toContain("not-stored");
    const { manager, events } = createTestManager(api, {
      storage,
      maxBytes,
      encoding: gzipEncoding(),
      freshness,
    });
    await collect(await manager.get(slug, version));
    expect(events.types()).toContain("committed");
    const [listed] = await arrayOf(manager.list());
    expect(listed).toMatchObject({ ownBytes: await bytesIn(storage), sharedBytes: 0 });
    expect((await manager.prune({ maxBytes: 0 })).freedBytes).toBe((listed as { ownBytes: number }).ownBytes);
    expect(await keysOf(storage, "chunks")).toEqual([]);
  });

  test("a broken encoder ends the caching, not the delivery", async () => {
    const encode = () => Promise.reject(new Error("out of order"));
    const { manager, events } = createTestManager(api, { encoding: { format: "gzip", encode } });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(events.types()).toEqual(expect.arrayContaining(["store-fault", "not-stored"]));
  });
});

test.each([null, {}, "gzip", { format: "br", encode: async () => new Uint8Array() }, { format: "gzip" }])(
  "%o is no encoding",
  (encoding) => {
    expect(() => createTestManager(api, { encoding: encoding as never })).toThrow('"encoding" must be');
  },
);

test.each([0, 10, 1.5, "2"])("%o is no level of gzip", (level) => {
  expect(() => gzipEncoding({ level: level as number })).toThrow("from 1 to 9");
});
