/** An edited get of a cached image reads each chunk once, and begins while the source still says how the image is configured. */
import { expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { type GetOptions, type ImageEdit, InvalidArgumentError } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { edited, imageOf, reading, upstreamOf, writing } from "./support.ts";

const { version } = scriptedVersion;
const chunks = 40;
const holes = 8;
const content = imageOf(chunks, chunkBytes);
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;
const development = { developmentMode: true };
const asDevelopment = writing("development", 100);

/** A manager over a store that tells what is read, with the plain image in it. */
async function made(options: TestManagerOptions = {}, derive?: () => Promise<ImageEdit>) {
  const storage = faultyDriver(memoryAdapter());
  const upstream = upstreamOf(content);
  const source = {
    ...upstream.source,
    ...(derive && { derive: async () => ({ variant: {}, edit: await derive() }) }),
  };
  const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
  const testManager = createTestManager(upstream as never, {
    ...upstream,
    storage,
    source,
    freshness,
    ...options,
  });
  const { manager } = testManager;
  onTestFinished(() => manager.close());
  await manager.prefetch(slug, version);
  storage.calls.splice(0);
  const chunkReads = () =>
    storage.calls.filter(({ operation, key }) => operation === "getItemRaw" && key.includes(":chunks:"));
  const get = (more: GetOptions) => manager.get(slug, version, more);
  return { ...testManager, storage, upstream, chunkReads, get };
}

test.each<[string, number[]]>([
  ["the beginning", [0, 20, 40]],
  ["the end, and back", [-1, 0, -chunkBytes, 50_000]],
  ["all of it, backwards", Array.from({ length: chunks }, (_, index) => (chunks - 1 - index) * chunkBytes)],
])("an edit that reads %s costs no read more", async (_, places) => {
  const { get, chunkReads, upstream } = await made();
  const edit = reading([], ...places);
  expect(isSame(await bytesOf(await get({ edit })), await edited(content, edit))).toBe(true);
  expect(chunkReads()).toHaveLength(chunks - holes);
  expect(upstream.downloads).toHaveLength(1);
});

test("with memory for two chunks, an edit costs at most a read more of each chunk that it looks at, and of those two", async () => {
  const { get, chunkReads } = await made({ memoryBytes: 2 * chunkBytes });
  const edit = reading([], 0, 10 * chunkBytes, 20 * chunkBytes, -1, 9);
  expect(isSame(await bytesOf(await get({ edit })), await edited(content, edit))).toBe(true);
  expect(chunkReads().length).toBeLessThanOrEqual(chunks - holes + 5 + 2);
});

test("of a range, the chunks outside it are read for the edit alone", async () => {
  const { get, chunkReads } = await made();
  const edit = reading([], 0, 5 * chunkBytes, 30 * chunkBytes);
  const range = { start: 4 * chunkBytes + 7, end: 7 * chunkBytes };
  const whole = await edited(content, edit);
  expect(isSame(await bytesOf(await get({ edit, range })), whole.subarray(range.start, range.end))).toBe(
    true,
  );
  expect(chunkReads()).toHaveLength(3 + 2);
});

test("what the edit has read is the consumer's alone once it is delivered", async () => {
  const { get } = await made();
  const edit = reading([], 0, 7 * chunkBytes, -1);
  for (let round = 0; round < 3; round++) {
    const pieces: Uint8Array[] = [];
    for await (const piece of await get({ edit })) {
      pieces.push(piece.slice());
      piece.fill(0xee);
    }
    expect(isSame(Buffer.concat(pieces), await edited(content, edit))).toBe(true);
  }
});

test("the plain image is read while the source is still asked", async () => {
  let answer = (_edit: ImageEdit) => {};
  const { get, chunkReads } = await made({}, () => new Promise((resolve) => (answer = resolve)));
  const getting = get(development);
  await eventually(() => expect(chunkReads().length).toBeGreaterThan(0));
  answer(asDevelopment);
  expect(isSame(await bytesOf(await getting), await edited(content, asDevelopment))).toBe(true);
  expect(chunkReads()).toHaveLength(chunks - holes);
});

test("a source that refuses while the image is being read leaves nothing open", async () => {
  const { get, chunkReads, manager, storage } = await made({}, async () => {
    await eventually(() => expect(chunkReads().length).toBeGreaterThan(0));
    throw new InvalidArgumentError("it can't be configured");
  });
  expect(await rejection(get(development))).toMatchObject({ code: "INVALID_ARGUMENT" });
  await manager.remove(slug, version); // keeps the chunks of images that are being read
  expect((await storage.getKeys("", {})).filter((key) => key.includes(":chunks:"))).toEqual([]);
});

test("an image that is not cached is not downloaded before the source has answered", async () => {
  const { get, manager, upstream } = await made({}, async () => {
    throw new InvalidArgumentError("it can't be configured");
  });
  await manager.remove(slug, version);
  expect(await rejection(get(development))).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(upstream.downloads).toHaveLength(1);
});

test("streams that nobody reads give up what was read for them", async () => {
  const { get, chunkReads } = await made({ memoryBytes: 20 * chunkBytes });
  const edit = reading([], 0, -1);
  const idle = await Promise.all(Array.from({ length: 6 }, () => get({ edit })));
  const before = chunkReads().length;
  expect(isSame(await bytesOf(await get({})), content)).toBe(true);
  expect(chunkReads().length - before).toBe(chunks - holes); // none of the idle ones reads again
  for (const stream of idle) expect(isSame(await bytesOf(stream), await edited(content, edit))).toBe(true);
});
