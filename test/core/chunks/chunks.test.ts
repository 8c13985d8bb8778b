/** An image that its source has in chunks: only those that the store lacks are fetched, and each is proven by its name. */
import { expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageManager, type StoreDriver, UpstreamError } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { fileResponse, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { chunkKeysOf, damage, keysOf } from "../../support/stored-values.ts";
import { createTestManager, quickRetry, type TestManagerOptions } from "../../support/test-manager.ts";
import { chunkBytes, chunkedUpstream, contentOf, slug, version } from "./support.ts";

const chunks = 20;
const stored = chunks - 1; // without the hole
const content = contentOf(chunks);
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

function made(options: TestManagerOptions = {}, upstream = chunkedUpstream(content)) {
  const fetch = async () => expect.unreachable("nothing may be downloaded as a file");
  const test = createTestManager(upstream as never, {
    source: upstream.source,
    fetch: fetch as never,
    ...options,
  });
  onTestFinished(() => test.manager.close());
  const get = (more = {}) => test.manager.get(slug, version, more);
  const isRight = async (stream: ReadableStream<Uint8Array>) =>
    isSame(await bytesOf(stream), upstream.content);
  return { ...test, upstream, get, isRight };
}

test("is the image that a file of the same bytes makes", async () => {
  const { upstream, get, isRight, manager } = made();
  const stream = await get();
  expect(stream).toMatchObject({ origin: "network", size: upstream.content.length });
  expect(await isRight(stream)).toBe(true);
  const info = await stream.committed();
  expect(upstream.asked).toHaveLength(stored);
  expect(await isRight(await get())).toBe(true);
  expect(await manager.verify()).toMatchObject({ damaged: [] });
  expect(upstream.asked).toHaveLength(stored);
  const direct = scriptedUpstream({
    respond: () => fileResponse(upstream.content.slice(), { etag: '"a"' }),
    request: { gzip: false },
  });
  await using other = createImageManager({ ...direct, storage: memoryAdapter(), chunkBytes });
  const { etag, id } = await other.prefetch(slug, version);
  expect(info).toMatchObject({ etag, id });
});

test("costs only the chunks that the store lacks", async () => {
  const { upstream, get, isRight } = made();
  await bytesOf(await get());
  upstream.asked.splice(0);
  upstream.content = contentOf(chunks, { 7: 100, 12: 101 });
  expect(await isRight(await get())).toBe(true);
  expect(upstream.asked).toHaveLength(2);
});

test.each([
  ["of its own", undefined],
  ["of parts", { etag: `"parts-${"0".repeat(64)}"`, fileType: ".gz" }],
  ["none", { size: 5, fileType: ".gz" }],
] as const)(
  "goes on after a manager that died, with the chunks that it stored; ETag: %s",
  async (_, said) => {
    const storage = memoryAdapter();
    const upstream = chunkedUpstream(content);
    if (said) upstream.said = { validators: said };
    const first = made({ storage }, upstream);
    const controller = new AbortController();
    const reader = (await first.get({ signal: controller.signal })).getReader();
    for (let count = 0; count < 10; count++) await reader.read();
    controller.abort();
    await first.manager.close();
    const kept = (await keysOf(storage, "chunks")).length;
    expect(kept).toBeGreaterThan(5);
    upstream.asked.splice(0);
    const { get, isRight } = made({ storage }, upstream);
    expect(await isRight(await get())).toBe(true);
    expect(upstream.asked).toHaveLength(stored - kept);
  },
);

test("fifty gets at once fetch each chunk once", async () => {
  const { upstream, get, isRight } = made();
  const all = await Promise.all(Array.from({ length: 50 }, async () => isRight(await get())));
  expect(all.every(Boolean)).toBe(true);
  expect(upstream.asked).toHaveLength(stored);
});

test("a damaged chunk is fetched again, alone", async () => {
  const storage = memoryAdapter();
  const { upstream, get, isRight, events, manager } = made({ storage, freshness: { maxAgeMs: 1e9 } });
  const { id } = await manager.prefetch(slug, version);
  await damage(storage, (await chunkKeysOf(storage, id))[5]!, "flip");
  upstream.asked.splice(0);
  expect(await isRight(await get())).toBe(true);
  expect(upstream.asked).toHaveLength(1);
  expect(events.of("healed")).toMatchObject([{ chunks: 1 }]);
});

test("is not downloaded again as long as it is the same", async () => {
  const { upstream, get, events } = made();
  await bytesOf(await get());
  expect((await get()).origin).toBe("cache");
  expect(events.of("revalidated")).toHaveLength(1);
  expect(upstream).toMatchObject({ requests: 2 });
});

test("its validators and media type are kept as they were said", async () => {
  const { upstream, get, manager } = made();
  upstream.said = {
    mime: "application/x-disk",
    validators: {
      etag: '"parts-1"',
      lastModified: "Fri, 02 Oct 2026 08:00:00 GMT",
      size: 9,
      fileType: ".gz",
    },
  };
  await bytesOf(await get());
  const info = await manager.inspect(slug, version);
  expect(info).toMatchObject({ mime: "application/x-disk", lastModified: new Date("2026-10-02T08:00:00Z") });
  expect((await get()).origin).toBe("cache");
  upstream.content = contentOf(chunks, { 2: 99 });
  upstream.said = { validators: { etag: '"parts-2"', fileType: ".gz" } };
  expect((await get()).origin).toBe("network");
});

test("wrong bytes of a chunk are asked for once more, and never delivered", async () => {
  const { upstream, get, isRight } = made();
  let wrong = 1;
  upstream.chunk = async (bytes) => {
    if (upstream.asked.length < 8 || wrong === 0) return bytes;
    wrong -= 1;
    return bytes.fill(7);
  };
  expect(await isRight(await get())).toBe(true);
  expect(upstream.asked).toHaveLength(stored + 1);
});

test.each<[string, (bytes: Uint8Array<ArrayBuffer>) => unknown]>([
  ["other bytes", (bytes) => bytes.fill(1)],
  ["too few", (bytes) => bytes.subarray(1)],
  ["too many", (bytes) => Buffer.concat([bytes, bytes])],
  ["a text", () => "chunk"],
  ["nothing", () => undefined],
])("a source that keeps sending %s of a chunk is INTEGRITY, and nothing is committed", async (_, lie) => {
  const { upstream, get, manager } = made();
  upstream.chunk = async (bytes) => (upstream.asked.length > 6 ? lie(bytes) : bytes) as Uint8Array;
  expect(await rejection(get().then(bytesOf))).toMatchObject({
    code: "INTEGRITY",
    message: expect.stringContaining("than its name says"),
  });
  expect(upstream.asked.length).toBeLessThan(2 * stored);
  expect(await manager.inspect(slug, version)).toBeUndefined();
});

test.each<[string, object]>([
  ["no bytes", { size: 0, digests: [] }],
  ["half bytes", { size: 1.5 }],
  ["too few digests", { digests: [null] }],
  ["digests that are none", { digests: Array(chunks).fill("abc") }],
  ["a million chunks and one", { size: 1_000_001 * chunkBytes, digests: Array(1_000_001).fill(null) }],
  ["tiny chunks", { chunkBytes: 1 }],
  ["huge chunks", { chunkBytes: 2 ** 27 }],
  ["a bad media type", { mime: "a\nb" }],
  ["a bad ETag", { validators: { etag: "a\nb" } }],
  ["a file type that is none", { validators: { fileType: ".exe" } }],
])("an answer with %s is refused", async (_, said) => {
  const { upstream, get } = made();
  upstream.said = said;
  expect(await rejection(get())).toMatchObject({ code: "UPSTREAM", unavailable: false });
  expect(upstream.asked).toEqual([]);
});

test("a source in trouble is asked again, for the rest alone", async () => {
  const { upstream, get, isRight, events } = made();
  let failures = 2;
  upstream.chunk = async (bytes) => {
    if (upstream.asked.length < 9 || failures === 0) return bytes;
    failures -= 1;
    throw new UpstreamError("in trouble", { status: 503 });
  };
  expect(await isRight(await get({ cache: "no-store" }))).toBe(true);
  expect(events.of("resumed").length).toBeGreaterThan(0);
  expect(upstream.asked.length).toBeLessThan(stored + 2 * 9); // what was ahead of its turn comes again
});

test("what a foreign error says does not come out", async () => {
  const { upstream, get } = made({ retry: { ...quickRetry, attempts: 1 } });
  upstream.chunk = async () => Promise.reject(Object.assign(new Error("lost"), { token: "secret-token" }));
  const failure = await rejection(get().then(bytesOf));
  expect(failure).toMatchObject({ code: "UPSTREAM" });
  expect(JSON.stringify(failure)).not.toContain("secret-token");
});

test.each([
  ["its own", 2 * chunkBytes, memoryAdapter(), 10],
  ["the manager's, if the store takes no larger ones", 4 * chunkBytes, small(), stored],
] as const)("chunks of another size are stored in %s", async (_, theirs, storage, keys) => {
  const upstream = chunkedUpstream(content, theirs);
  const { get, isRight, manager } = made({ storage }, upstream);
  expect(await isRight(await get())).toBe(true);
  expect(await isRight(await get({ cache: "only-if-cached" }))).toBe(true);
  expect(await keysOf(storage, "chunks")).toHaveLength(keys);
  await manager.verify();
});

function small(): StoreDriver {
  const storage = memoryAdapter();
  return { ...storage, capabilities: { ...storage.capabilities!, maxValueBytes: 2 * chunkBytes - 1 } };
}

test("no more chunks are on their way than the memory has room for", async () => {
  let [underWay, most] = [0, 0];
  const { upstream, get, isRight } = made({ memoryBytes: 6 * chunkBytes });
  upstream.chunk = async (bytes) => {
    most = Math.max(most, ++underWay);
    await new Promise(setImmediate);
    underWay -= 1;
    return bytes;
  };
  expect(await isRight(await get())).toBe(true);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(6);
});

test("a chunk that takes long is waited for as long as bytes of it come", async () => {
  const retry = { ...quickRetry, attempts: 1, idleTimeoutMs: 1_000 };
  const { upstream, get, isRight } = made({ retry }, chunkedUpstream(contentOf(2)));
  upstream.chunk = async (bytes, { onBytes }) => {
    for (const until = performance.now() + 1_500; performance.now() < until; ) {
      onBytes?.();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return bytes;
  };
  expect(await isRight(await get())).toBe(true);
  upstream.chunk = () => new Promise(() => undefined);
  expect(await rejection(get({ cache: "no-store" }).then(bytesOf))).toMatchObject({
    code: "UPSTREAM",
    message: expect.stringContaining("no byte"),
  });
});

test("an edit is made of it, and is not stored", async () => {
  const { upstream, get } = made();
  const edit = async () => [{ start: 5, bytes: Uint8Array.of(9) }];
  const bytes = await bytesOf(await get({ edit }));
  expect(bytes[5]).toBe(9);
  expect(isSame(bytes.subarray(6), upstream.content.subarray(6))).toBe(true);
  expect(upstream.asked).toHaveLength(stored);
});
