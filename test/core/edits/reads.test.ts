/** What an edit reads never waits for the stream that the edit is for: not without a store, nor with one that hangs, is full or forgets. */
import { describe, expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { EditableImage, GetOptions, ImageEdit } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkKeysOf, damage } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { edited, imageOf, reading, upstreamOf } from "./support.ts";

const { version } = scriptedVersion;
// More chunks than a transfer has buffers (8), so that one that can't store is held up.
const content = imageOf(20, chunkBytes);
const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

function made(options: TestManagerOptions = {}, isSizeKnown = true) {
  const upstream = upstreamOf(content, isSizeKnown);
  const test = createTestManager(upstream as never, { ...upstream, freshness, ...options });
  onTestFinished(() => test.manager.close());
  const get = (edit: ImageEdit, more: GetOptions = {}) => test.manager.get(slug, version, { edit, ...more });
  return { ...test, upstream, get };
}

/** At the very end, in the middle, at the start, and back again. */
const everywhere = [-16, 10 * chunkBytes + 5, 0, 19 * chunkBytes, 15 * chunkBytes - 8, chunkBytes];

async function expectEdited(stream: ReadableStream<Uint8Array>, places: readonly number[]): Promise<void> {
  expect(isSame(await bytesOf(stream), await edited(content, reading([], ...places)))).toBe(true);
}

const hanging = (operation: "getItemRaw" | "setItemRaw", key?: RegExp) => () =>
  faultyDriver(memoryAdapter(), { operation, does: "hang", ...(key && { key }) });

describe.each([true, false])("an image whose size is known ahead: %s", (isSizeKnown) => {
  test.each<[string, TestManagerOptions | (() => TestManagerOptions), GetOptions?]>([
    ["a sound store", {}],
    ["no-store", {}, { cache: "no-store" }],
    ["memory for one chunk", { memoryBytes: chunkBytes }],
    ["memory for one chunk, and no-store", { memoryBytes: chunkBytes }, { cache: "no-store" }],
    ["maxBytes below the image", { maxBytes: 5 * chunkBytes }],
    ["a store that hangs", () => ({ storage: hanging("getItemRaw")(), storeTimeoutMs: 100 })],
    ["a store whose writes hang", () => ({ storage: hanging("setItemRaw")(), storeTimeoutMs: 100 })],
    [
      "a store whose chunks hang",
      () => ({ storage: hanging("setItemRaw", /:chunks:/)(), storeTimeoutMs: 100 }),
    ],
    [
      "a store whose chunks can't be read",
      () => ({
        storage: faultyDriver(memoryAdapter(), { operation: "getItemRaw", key: /:chunks:/, does: "throw" }),
      }),
    ],
    [
      "a store that is full after five chunks",
      () => ({
        storage: faultyDriver(memoryAdapter(), {
          operation: "setItemRaw",
          key: /:chunks:/,
          at: 6,
          does: "throw",
        }),
      }),
    ],
    [
      "a store without leases",
      () => {
        const { createIfAbsent: _, ...storage } = memoryAdapter();
        return { storage };
      },
    ],
  ])("reads all over it are answered with %s", async (_name, options, more) => {
    const { get } = made(typeof options === "function" ? options() : options, isSizeKnown);
    const seen: Uint8Array[] = [];
    await expectEdited(await get(reading(seen, ...everywhere), more), everywhere);
    const sound: Uint8Array[] = [];
    await edited(content, reading(sound, ...everywhere));
    expect(seen).toEqual(sound);
  });

  test("a stored image is downloaded once for an edit at its very end, and cached", async () => {
    const { get, upstream, manager } = made({}, isSizeKnown);
    await expectEdited(await get(reading([], -1)), [-1]);
    await expectEdited(await get(reading([], -1, 0)), [-1, 0]);
    expect(isSame(await bytesOf(await manager.get(slug, version)), content)).toBe(true);
    expect(upstream.downloads).toHaveLength(1);
  });
});

test("without a store, an edit of the beginning costs one download, an edit of the end two", async () => {
  const { get, upstream } = made();
  await expectEdited(await get(reading([], 0, 5 * chunkBytes), { cache: "no-store" }), [0, 5 * chunkBytes]);
  expect(upstream.downloads).toHaveLength(1);
  await expectEdited(await get(reading([], 0, -1, 9), { cache: "no-store" }), [0, -1, 9]);
  expect(upstream.downloads).toHaveLength(3);
});

test("an edit that keeps going back in an image that can't be stored is told so", async () => {
  const { get, upstream } = made({ memoryBytes: chunkBytes });
  const backAndForth = Array.from({ length: 60 }, (_, index) => (11 + (index % 2) * 5) * chunkBytes + index);
  expect(await rejection(get(reading([], ...backAndForth), { cache: "no-store" }))).toMatchObject({
    code: "EDIT",
    reason: "failed",
    message: expect.stringContaining("goes back"),
  });
  expect(upstream.downloads.length).toBeLessThan(20);
});

test("an image that the upstream makes for each download can be read only as far as it is in memory", async () => {
  const { get } = made();
  const fleet = { appId: 7 };
  await expectEdited(await get(reading([], 0, chunkBytes), fleet), [0, chunkBytes]);
  expect(await rejection(get(reading([], 0, -1), fleet))).toMatchObject({
    code: "EDIT",
    message: expect.stringContaining("for each download"),
  });
});

describe("reads of an image", () => {
  const readAll =
    (work: (image: EditableImage) => Promise<void>): ImageEdit =>
    async (image) => {
      await work(image);
      return [];
    };

  test.each([
    ["default", 10_000],
    ["no-store", 1_000],
    ["only-if-cached", 1_000],
  ] as const)(
    "may be many, and at the same time: %s",
    async (cache, count) => {
      const { manager, get } = made();
      if (cache === "only-if-cached") await manager.prefetch(slug, version);
      const edit = readAll(async (image) => {
        const reads = Array.from({ length: count }, async (_, index) => {
          const start = (index * 997) % (image.size - 512);
          return isSame(await image.read(start, start + 512), content.subarray(start, start + 512));
        });
        expect((await Promise.all(reads)).every(Boolean)).toBe(true);
      });
      expect(isSame(await bytesOf(await get(edit, { cache })), content)).toBe(true);
    },
    60_000,
  );

  test("may span any number of chunks, and none", async () => {
    const { get } = made();
    const edit = readAll(async ({ size, read }) => {
      expect(isSame(await read(0, size), content)).toBe(true);
      expect(await read(size, size)).toEqual(new Uint8Array(0));
      const start = chunkBytes - 1;
      expect(isSame(await read(start, 5 * chunkBytes + 1), content.slice(start, 5 * chunkBytes + 1))).toBe(
        true,
      );
    });
    await bytesOf(await get(edit));
  });

  test("give buffers that are the edit's own", async () => {
    const { get } = made();
    const edit = readAll(async ({ read }) => {
      (await read(0, 2 * chunkBytes)).fill(7);
      expect(isSame(await read(0, 100), content.slice(0, 100))).toBe(true);
    });
    expect(isSame(await bytesOf(await get(edit)), content)).toBe(true);
  });

  test.each<[string, number, number]>([
    ["beyond the end", content.length - 1, content.length + 1],
    ["before the start", -1, 5],
    ["backwards", 9, 8],
    ["of half bytes", 0.5, 2],
    ["of nowhere", Number.NaN, 2],
  ])("%s are refused", async (_, start, end) => {
    const { get, manager } = made();
    const failure = await rejection(get(readAll(async ({ read }) => void (await read(start, end)))));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(isSame(await bytesOf(await manager.get(slug, version)), content)).toBe(true);
  });

  test("end with the edit", async () => {
    const { get } = made();
    let late: EditableImage | undefined;
    const keep = async (image: EditableImage) => {
      late = image;
    };
    const stream = await get(readAll(keep));
    expect(late!.signal.aborted).toBe(true);
    expect(await rejection(late!.read(0, 1))).toMatchObject({ code: "EDIT" });
    await stream.cancel();
  });
});

test("chunks that the store has lost are fetched again for the edit, and for the stream", async () => {
  const storage = memoryAdapter();
  const { manager, get, events } = made({ storage });
  const { id } = await manager.prefetch(slug, version);
  const keys = await chunkKeysOf(storage, id);
  for (const index of [0, 10, 19]) await damage(storage, keys[index]!, index === 0 ? "missing" : "flip");
  await expectEdited(await get(reading([], ...everywhere)), everywhere);
  expect(events.of("healed").length).toBeGreaterThan(0);
});
