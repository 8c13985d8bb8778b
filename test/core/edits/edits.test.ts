/** An edit is laid over an image while it is delivered; the image itself is got, cached and shared as without it. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { GetOptions, ImageEdit } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { edited, imageOf, reading, upstreamOf, writing } from "./support.ts";

const { version } = scriptedVersion;
const content = imageOf(12, chunkBytes);
const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
const places = [0, 1, chunkBytes - 3, 3 * chunkBytes + 7, 7 * chunkBytes - 2, -12];
const edit = writing("edited bytes", ...places);
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;
const apart = writing("edited bytes", 13, chunkBytes - 3, 3 * chunkBytes + 7, 7 * chunkBytes - 2, -12);

describe.each([
  ["a size that is known ahead", true],
  ["a size that is not known ahead", false],
])("an image of %s", (_, isSizeKnown) => {
  const made = () => {
    const upstream = upstreamOf(content, isSizeKnown);
    return { upstream, ...createTestManager(upstream as never, { ...upstream, freshness }) };
  };

  test("is delivered edited, from the network and from the cache, for one download", async () => {
    const { upstream, manager } = made();
    const expected = await edited(content, apart);
    for (const origin of ["network", "cache"]) {
      const stream = await manager.get(slug, version, { edit: apart });
      expect(stream).toMatchObject({ origin, size: content.length, edited: "repeatable" });
      expect(isSame(await bytesOf(stream), expected), origin).toBe(true);
      expect(await stream.committed()).toMatchObject({ size: content.length, variant: {} });
    }
    expect(isSame(await bytesOf(await manager.get(slug, version)), content)).toBe(true);
    expect(upstream.downloads).toHaveLength(1);
  });

  test.each<[string, NonNullable<GetOptions["range"]>]>([
    ["the first bytes", { start: 0, end: 20 }],
    ["a span across two chunks", { start: 7 * chunkBytes - 100, end: 7 * chunkBytes + 100 }],
    ["the end", { start: content.length - 5 }],
    ["a part without edited bytes", { start: 5 * chunkBytes, end: 5 * chunkBytes + 9 }],
  ])("is delivered in ranges: %s", async (_name, range) => {
    const { manager } = made();
    const expected = (await edited(content, apart)).slice(range.start, range.end);
    for (const cache of ["default", "default", "no-store"] as const) {
      const stream = await manager.get(slug, version, { edit: apart, range, cache });
      expect(isSame(await bytesOf(stream), expected), cache).toBe(true);
    }
  });

  test("an edit reads any bytes of it, in any order, in every cache mode", async () => {
    const { manager } = made();
    const wanted = [0, 5 * chunkBytes, -16, chunkBytes - 8, 3 * chunkBytes + 1, 11 * chunkBytes];
    for (const cache of ["default", "no-store", "reload", "force-cache", "only-if-cached"] as const) {
      const seen: Uint8Array[] = [];
      const spans = reading(seen, ...wanted);
      const bytes = await bytesOf(await manager.get(slug, version, { edit: spans, cache }));
      const sound: Uint8Array[] = [];
      expect(isSame(bytes, await edited(content, reading(sound, ...wanted))), cache).toBe(true);
      expect(seen).toEqual(sound);
    }
  });
});

test("what overlaps is refused, and the image is cached all the same", async () => {
  const upstream = upstreamOf(content);
  const { manager } = createTestManager(upstream as never, { ...upstream, freshness });
  expect(await rejection(manager.get(slug, version, { edit }))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("overlap"),
  });
});

test("prefetch stores the image as it is", async () => {
  const upstream = upstreamOf(content);
  const { manager } = createTestManager(upstream as never, { ...upstream, freshness });
  const never: ImageEdit = () => Promise.reject(new Error("must not be asked"));
  await manager.prefetch(slug, version, { edit: never });
  expect(isSame(await bytesOf(await manager.get(slug, version)), content)).toBe(true);
});

test("two managers over one store deliver the same", async () => {
  const upstream = upstreamOf(content);
  const storage = memoryAdapter();
  const options = { ...upstream, freshness, storage };
  const [one, two] = [0, 1].map(() => createTestManager(upstream as never, options).manager);
  const [first, second] = await Promise.all(
    [one!, two!].map(async (manager) => bytesOf(await manager.get(slug, version, { edit: apart }))),
  );
  const expected = await edited(content, apart);
  expect(isSame(first!, expected) && isSame(second!, expected)).toBe(true);
});
