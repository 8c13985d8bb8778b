/** How a get ends: the commit, `committed()`, `waitUntil`, and the events that tell of it. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { createImageManager } from "../../src/core/index.ts";
import { fakeClock } from "../support/clock.ts";
import { collect, rejection } from "../support/collect.ts";
import { faultyDriver } from "../support/faulty-driver.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { stallNext } from "../support/stall.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const { size } = api.image(slug, version);
const sha256 = await api.image(slug, version).sha256;

describe("committed()", () => {
  test("of a cached image says at once what is stored", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    const info = await manager.prefetch(slug, version);
    const stream = await manager.get(slug, version);
    expect(await stream.committed()).toMatchObject({ id: info.id, etag: info.etag, size });
    await stream.cancel();
  });

  test("is told although the clock counts parts of milliseconds", async () => {
    const clock = { ...fakeClock(), now: () => Date.now() + 0.25 };
    const { manager } = createTestManager(api, { clock });
    const info = await manager.prefetch(slug, version);
    expect(await manager.inspect(slug, version)).toEqual(info);
  });

  test("settles the same for all who ask, before and after", async () => {
    const { manager } = createTestManager(api);
    const stream = await manager.get(slug, version);
    const early = stream.committed();
    await collect(stream);
    const infos = await Promise.all([early, stream.committed(), stream.committed()]);
    expect(infos.map((info) => info?.size)).toEqual([size, size, size]);
  });

  test("is undefined if the store fails, though every byte is delivered", async () => {
    const storage = faultyDriver(memoryAdapter(), {
      operation: "setItemRaw",
      key: /:images:/,
      does: "throw",
    });
    const { manager, events } = createTestManager(api, { storage });
    const stream = await manager.get(slug, version);
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(await stream.committed()).toBeUndefined();
    expect(events.of("store-fault")[0]).toMatchObject({ operation: "commit", cause: { code: "STORE" } });
    expect(events.types()).not.toContain("committed");
  });

  test("rejects with the stream's own error, and hurts nobody who does not ask", async () => {
    const { manager } = createTestManager(api);
    Object.assign(api.faults, { lose: { atPercent: 50 }, ranges: "off" });
    const stream = await manager.get(slug, version);
    const failure = await rejection(collect(stream));
    expect(await rejection(stream.committed())).toBe(failure);
    await rejection(manager.get(slug, version).then(collect)); // vitest fails on a rejection that nobody handles
    await expect.poll(() => api.counters.openConnections).toBe(0);
    await turn(); // Node tells of an unhandled rejection at the end of the turn in which it came
  });
});

describe("a stream", () => {
  test("ends after the commit, not before", async () => {
    const gate = Promise.withResolvers<void>();
    const storage = faultyDriver(memoryAdapter(), {
      operation: "setItemRaw",
      key: /:images:/,
      does: gate.promise,
    });
    const { manager } = createTestManager(api, { storage });
    let received = 0;
    let isOver = false;
    const reading = (async () => {
      for await (const piece of await manager.get(slug, version)) received += piece.length;
      isOver = true;
    })();
    await expect.poll(() => received).toBe(size);
    await expect
      .poll(() => storage.calls.map(({ key }) => key))
      .toContainEqual(expect.stringMatching(/:images:/));
    // By then another get, begun later, has come to its end.
    await collect(await manager.get(slug, version, { cache: "no-store" }));
    expect(isOver).toBe(false);
    gate.resolve();
    await reading;
    expect(await manager.inspect(slug, version)).toMatchObject({ size });
  });

  test("says what it is, and its copies are plain", async () => {
    const { manager } = createTestManager(api);
    const stream = await manager.get(slug, version);
    expect(stream).toBeInstanceOf(ReadableStream);
    const [left, right] = stream.tee();
    expect(left).not.toHaveProperty("version");
    expect((await collect(left)).sha256).toBe((await collect(right)).sha256);
  });

  test("is a body for a Response", async () => {
    const { manager } = createTestManager(api);
    const response = new Response(await manager.get(slug, version));
    expect((await response.bytes()).length).toBe(size);
  });
});

describe("waitUntil", () => {
  test("is given the work that fills the cache, which then outlives its reader", async () => {
    const { manager } = createTestManager(api);
    const goOn = stallNext(api);
    const works: Promise<unknown>[] = [];
    const stream = await manager.get(slug, version, { waitUntil: (work) => works.push(work) });
    await stream.cancel();
    goOn();
    expect(works).toHaveLength(1);
    await Promise.all(works);
    expect(await manager.inspect(slug, version)).toMatchObject({ size });
    expect(api.counters.transfers).toBe(1);
  });

  test("gets a promise that never rejects", async () => {
    const { manager } = createTestManager(api);
    Object.assign(api.faults, { lose: { atPercent: 50 }, ranges: "off" });
    const works: Promise<unknown>[] = [];
    const stream = await manager.get(slug, version, { waitUntil: (work) => works.push(work) });
    await rejection(collect(stream));
    await Promise.all(works);
  });

  test("is not called if the cache serves", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    await manager.prefetch(slug, version);
    const works: unknown[] = [];
    await collect(await manager.get(slug, version, { waitUntil: (work) => works.push(work) }));
    expect(works).toEqual([]);
  });
});

describe("events", () => {
  test("name the image by its id", async () => {
    const { manager, events, clock } = createTestManager(api, { freshness: { maxAgeMs: 10 } });
    const { id } = await manager.prefetch(slug, version);
    await collect(await manager.get(slug, version));
    clock.advance(10);
    await collect(await manager.get(slug, version));
    clock.advance(10);
    api.faults.refuse = { status: 503 };
    await collect(await manager.get(slug, version));
    expect(events.all).toEqual([
      { type: "miss", image: id },
      { type: "committed", image: id, size, durationMs: 0, wireBytes: expect.any(Number) },
      { type: "hit", image: id },
      { type: "revalidated", image: id, durationMs: 0 },
      { type: "stale-served", image: id, cause: expect.objectContaining({ code: "UPSTREAM" }) },
    ]);
  });

  test("that a listener throws at are lost, and nothing else", async () => {
    const onEvent = () => {
      throw new Error("the log is full");
    };
    const source = createTestSource();
    const manager = createImageManager({ source, storage: memoryAdapter(), chunkBytes, onEvent });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  });
});

function createTestSource() {
  const { source } = scriptedUpstream({
    respond: Response.error,
    versions: [{ version, line: "default", draft: false }],
  });
  const url = `${api.url}/download?deviceType=${slug}&version=${version}`;
  return { ...source, request: async () => ({ url: `${url}&fileType=.gz`, gzip: true }) };
}
