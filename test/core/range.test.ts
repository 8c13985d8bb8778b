/** `range`: any bytes of an image, from the cache and from a running transfer. */
import { describe, expect, test } from "vitest";
import { bytesOf, rejection, sha256 } from "../support/collect.ts";
import { fileResponse, gzip, noise, scriptedUpstream } from "../support/scripted-upstream.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

const slug = "intel-nuc";
const content = noise(3 * chunkBytes + 100);
content.fill(0, chunkBytes, 2 * chunkBytes); // a hole
const size = content.length;
const upstream = scriptedUpstream({
  respond: ({ url }) => {
    const isGzip = url.searchParams.get("fileType") === ".gz";
    return fileResponse(isGzip ? gzip(content) : content, { etag: '"a"' });
  },
});
const newManager = () =>
  createTestManager(
    { url: "" },
    { source: upstream.source, fetch: upstream.fetch, freshness: { maxAgeMs: 1e6 } },
  ).manager;

const cached = newManager();
await cached.prefetch(slug);

const ranges: [string, number, number | undefined][] = [
  ["all", 0, undefined],
  ["all, said in full", 0, size],
  ["beyond the end", 0, size + 1],
  ["far beyond the end", 5, Number.MAX_SAFE_INTEGER],
  ["the first byte", 0, 1],
  ["the last byte", size - 1, size],
  ["the last byte, open", size - 1, undefined],
  ["one chunk exactly", chunkBytes, 2 * chunkBytes],
  ["the end of a chunk", chunkBytes - 1, chunkBytes],
  ["the start of a chunk", chunkBytes, chunkBytes + 1],
  ["over a border", chunkBytes - 1, chunkBytes + 1],
  ["over a hole", chunkBytes - 2, 2 * chunkBytes + 2],
  ["within a hole", chunkBytes + 5, chunkBytes + 9],
  ["from a chunk on", 2 * chunkBytes, undefined],
  ["up to a chunk", 7, 3 * chunkBytes],
  ["the short last chunk", 3 * chunkBytes, undefined],
];

describe.each<[string, () => ReturnType<typeof newManager>, object]>([
  ["from the cache", () => cached, {}],
  ["from a transfer", newManager, {}],
  ["from a transfer of an .img", newManager, { fileType: ".img" }],
  ["past the cache", newManager, { cache: "no-store" }],
])("%s", (_, manager, options) => {
  test.each(ranges)("%s", async (_name, start, end) => {
    const range = end === undefined ? { start } : { start, end };
    const stream = await manager().get(slug, "latest", { range, ...options });
    const expected = content.subarray(start, end);
    const got = await bytesOf(stream);
    expect(got.length).toBe(expected.length);
    expect(sha256(got)).toBe(sha256(expected));
  });

  test.each([{ start: size }, { start: size + 1 }, { start: size, end: size + 1 }, { start: 10 * size }])(
    "%o, behind the last byte, is INVALID_ARGUMENT",
    async (range) => {
      const { start } = range;
      const reading = manager()
        .get(slug, "latest", { range, ...options })
        .then(bytesOf);
      expect(await rejection(reading)).toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(`"range.start" is ${start}, but the image`),
      });
    },
  );
});

test.each<[string, unknown, string]>([
  ["a negative start", { start: -1 }, "range.start"],
  ["half a byte", { start: 0.5 }, "range.start"],
  ["a start that is no number", { start: "0" }, "range.start"],
  ["no start", { end: 5 }, "range.start"],
  ["nothing at all", {}, "range.start"],
  ["null", null, "range"],
  ["a text", "0-5", "range"],
  ["a negative end", { start: 0, end: -1 }, "range.end"],
  ["reversed", { start: 10, end: 5 }, "range.end"],
  ["empty", { start: 5, end: 5 }, "range.end"],
  ["an end that is no number", { start: 0, end: Number.NaN }, "range.end"],
  ["endless", { start: 0, end: Number.POSITIVE_INFINITY }, "range.end"],
])("%s is INVALID_ARGUMENT, and says what it should be", async (_, range, name) => {
  const failure = await rejection(newManager().get(slug, "latest", { range: range as never }));
  expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining(name) });
});

test("a part is no image: reading it leaves the cache without one, and the whole comes right after", async () => {
  const manager = newManager();
  const part = await manager.get(slug, "latest", { range: { start: 0, end: 10 } });
  expect(await bytesOf(part)).toEqual(content.slice(0, 10));
  expect(await part.committed()).toBeUndefined();
  expect(await manager.inspect(slug, "1.0.0")).toBeUndefined();
  expect(sha256(await bytesOf(await manager.get(slug)))).toBe(sha256(content));
});

test("a range up to the end does fill the cache", async () => {
  const manager = newManager();
  const part = await manager.get(slug, "latest", { range: { start: size - 10 } });
  expect(await bytesOf(part)).toEqual(content.slice(-10));
  expect(await part.committed()).toMatchObject({ size });
});

test("the stream says the size of the whole image", async () => {
  const stream = await cached.get(slug, "latest", { range: { start: 5, end: 9 } });
  expect(stream.size).toBe(size);
});
