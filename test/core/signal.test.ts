/** `signal`: whenever it is aborted, the call or the stream ends at once with its reason, and the connection with it. */
import { describe, expect, test, vi } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { createBodyStream } from "../../src/core/delivery/image-stream.ts";
import type { GetOptions, ImageManager } from "../../src/core/index.ts";
import { collect, rejection } from "../support/collect.ts";
import { faultyDriver } from "../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const sha256 = await api.image(slug, version).sha256;

class Reason extends Error {}
const reason = new Reason("enough");

type Call = (manager: ImageManager, options: GetOptions) => Promise<unknown>;
const calls: [string, Call][] = [
  ["get", (manager, options) => manager.get(slug, version, options)],
  ["prefetch", (manager, options) => manager.prefetch(slug, version, options)],
  ["resolve", (manager, options) => manager.resolve(slug, version, options)],
  ["versions", (manager, options) => manager.versions(slug, options)],
];

describe.each(calls)("%s", (_, call) => {
  test("with an aborted signal rejects, and asks nobody", async () => {
    const { manager } = createTestManager(api);
    expect(await rejection(call(manager, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(api.counters.requests).toBe(0);
  });

  test("aborted during its look-up rejects at once", async () => {
    const { manager } = createTestManager(api);
    api.faults.metadata.latencyMs = 60_000; // longer than the test may take
    const abort = new AbortController();
    const calling = rejection(call(manager, { signal: abort.signal }));
    await expect.poll(() => api.counters.requests).toBeGreaterThan(0);
    abort.abort(reason);
    expect(await calling).toBe(reason);
  });

  test("aborted while it waits to try again rejects at once", async () => {
    const { manager } = createTestManager(api, { retry: { minDelayMs: 5000, maxDelayMs: 5000 } });
    api.faults.metadata.refuse = { status: 503, retryAfter: 5 };
    const abort = new AbortController();
    const calling = rejection(call(manager, { signal: abort.signal }));
    await expect.poll(() => api.counters.requests).toBeGreaterThan(0);
    abort.abort(reason);
    expect(await calling).toBe(reason);
  });
});

describe("get", () => {
  test("aborted while the upstream thinks closes the connection", async () => {
    const { manager } = createTestManager(api);
    api.faults.latencyMs = 2000;
    const abort = new AbortController();
    const getting = rejection(manager.get(slug, version, { signal: abort.signal }));
    await expect.poll(() => api.counters.openConnections).toBe(1);
    abort.abort(reason);
    expect(await getting).toBe(reason);
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });

  test("aborted while the store is read rejects", async () => {
    const gate = Promise.withResolvers<void>();
    const storage = faultyDriver(memoryAdapter());
    const { manager } = createTestManager(api, { storage, freshness: { maxAgeMs: 1e6 } });
    await manager.prefetch(slug, version);
    storage.faults.push({ operation: "getItemRaw", key: /:images:/, does: gate.promise });
    storage.calls.splice(0);
    const abort = new AbortController();
    const getting = rejection(manager.get(slug, version, { signal: abort.signal }));
    await expect
      .poll(() => storage.calls.map(({ key }) => key))
      .toContainEqual(expect.stringMatching(/:images:/));
    abort.abort(reason);
    gate.resolve();
    expect(await getting).toBe(reason);
  });

  test("aborted in the very moment in which it succeeds ends all the same", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    await manager.prefetch(slug, version);
    for (let delay = 0; delay < 40; delay++) {
      const abort = new AbortController();
      const reading = rejection(manager.get(slug, version, { signal: abort.signal }).then(collect));
      for (let tick = 0; tick < delay; tick++) await null;
      abort.abort(reason);
      expect(await reading).toBe(reason);
    }
  });
});

describe("a stream", () => {
  test.each(["network", "cache"])("from the %s, aborted on its way, ends with the reason", async (origin) => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    if (origin === "cache") await manager.prefetch(slug, version);
    else api.faults.stall = { atPercent: 60 };
    const abort = new AbortController();
    const stream = await manager.get(slug, version, { signal: abort.signal });
    expect(stream.origin).toBe(origin);
    const reader = stream.getReader();
    expect((await reader.read()).value?.length).toBeGreaterThan(0);
    const pending = origin === "network" ? rejection(drain(reader)) : Promise.resolve(reason);
    if (origin === "network")
      await expect
        .poll(() => api.counters.bytesSent)
        .toBeGreaterThan(0.55 * (await api.image(slug, version).gzBytes()));
    abort.abort(reason);
    expect(await pending).toBe(reason);
    expect(await rejection(reader.read())).toBe(reason);
    expect(await rejection(reader.closed)).toBe(reason);
    await expect.poll(() => api.counters.openConnections).toBe(0);
    if (origin === "network") {
      expect(await rejection(stream.committed())).toBe(reason);
      expect(await manager.inspect(slug, version)).toBeUndefined();
    }
  });

  test("aborted before anybody reads ends with the reason", async () => {
    const { manager } = createTestManager(api);
    const abort = new AbortController();
    const stream = await manager.get(slug, version, { signal: abort.signal });
    abort.abort(reason);
    expect(await rejection(collect(stream))).toBe(reason);
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });

  test("is not touched by an abort after its end", async () => {
    const { manager } = createTestManager(api);
    const abort = new AbortController();
    const stream = await manager.get(slug, version, { signal: abort.signal });
    expect((await collect(stream)).sha256).toBe(sha256);
    abort.abort(reason);
    expect(await stream.committed()).toMatchObject({ version });
    expect((await manager.get(slug, version)).origin).toBe("cache");
  });

  test("an abort without a reason is an AbortError, a timeout a TimeoutError", async () => {
    const { manager } = createTestManager(api);
    api.faults.stall = { atPercent: 50 };
    // On a busy machine it may strike before there is a stream.
    const timedOut = manager.get(slug, version, { signal: AbortSignal.timeout(100) }).then(collect);
    expect(await rejection(timedOut)).toMatchObject({ name: "TimeoutError" });
    const abort = new AbortController();
    const reading = manager.get(slug, version, { signal: abort.signal }).then(collect);
    abort.abort();
    expect(await rejection(reading)).toMatchObject({ name: "AbortError" });
  });

  test("made with a signal that was aborted a moment ago ends with the reason, and lets go of its chunks", async () => {
    const close = vi.fn();
    const onEnd = vi.fn();
    const stream = createBodyStream({
      chunkBytes: 1,
      span: { start: 0, end: Number.POSITIVE_INFINITY },
      signal: AbortSignal.abort(reason),
      chunks: { next: () => new Promise(() => {}), close },
      recover: (_index, failure) => Promise.reject(failure),
      onDelivered: () => {},
      onWhole: () => {},
      onEnd,
    });
    expect(await rejection(collect(stream))).toBe(reason);
    expect(close).toHaveBeenCalledOnce();
    expect(onEnd).toHaveBeenCalledExactlyOnceWith(reason);
  });

  test("leaves no listener on a signal that lives on", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    for (let round = 0; round < 3; round++) await collect(await manager.get(slug, version, { signal }));
    expect(added).toHaveBeenCalledTimes(removed.mock.calls.length);
  });

  test("cancelled by its reader closes the connection, and committed() says undefined", async () => {
    const { manager } = createTestManager(api);
    api.faults.stall = { atPercent: 50 };
    const stream = await manager.get(slug, version);
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel("no more");
    expect(await stream.committed()).toBeUndefined();
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });

  test("prefetch aborted on its way closes the connection", async () => {
    const { manager } = createTestManager(api);
    api.faults.stall = { atPercent: 50 };
    const abort = new AbortController();
    const fetching = rejection(manager.prefetch(slug, version, { signal: abort.signal }));
    await expect.poll(() => api.counters.bytesSent).toBeGreaterThan(0);
    abort.abort(reason);
    expect(await fetching).toBe(reason);
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });
});

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}
