// When a transfer is tried again, how soon, and with what.
import { describe, expect, test } from "vitest";
import { monotonicMs } from "../../../src/core/clock.ts";
import { UpstreamError } from "../../../src/core/errors.ts";
import { createRetries, isRetryable, retryDelayMs } from "../../../src/core/upstream/retry.ts";
import { sleep } from "../../../src/core/waiting.ts";
import { collect, rejection } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { MiB, plainSource, processOver, readSome, settled } from "./support.ts";

const imageBytes = 4 * MiB;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const sha256 = await api.image(slug, version).sha256;
const raw = { fileType: ".img" } as const;
const policy = { attempts: 5, minDelayMs: 100, maxDelayMs: 1_000, idleTimeoutMs: 1 };
const busy = (retryAfterMs?: number) => new UpstreamError("busy", { status: 503, retryAfterMs });

describe("the pause before the next try", () => {
  test.each([
    // failures, random, Retry-After, pause
    [1, 0, undefined, 50],
    [1, 0.5, undefined, 75],
    [1, 1, undefined, 100],
    [2, 1, undefined, 200],
    [4, 0.25, undefined, 500],
    [5, 1, undefined, 1_000],
    [50, 1, undefined, 1_000],
    [2_000, 0.5, undefined, 750],
    [1, 1, 0, 100],
    [1, 0, 700, 700],
    [3, 1, 200, 400],
    [1, 0.5, 5_000, 1_000],
    [1, 0.5, Number.POSITIVE_INFINITY, 1_000],
  ])(
    "after %d failures with the die at %d and Retry-After %s: %d ms",
    (failures, random, retryAfterMs, pauseMs) => {
      expect(retryDelayMs(policy, failures, busy(retryAfterMs), random)).toBe(pauseMs);
    },
  );

  test("a foreign failure knows no Retry-After", () => {
    for (const failure of [undefined, null, "text", new Error("e")])
      expect(retryDelayMs(policy, 1, failure, 1)).toBe(100);
  });

  test("failures count in a row: progress starts the count over", async () => {
    const { signal } = new AbortController();
    const retries = createRetries({ ...policy, attempts: 3, minDelayMs: 0, maxDelayMs: 0 });
    for (let round = 0; round < 5; round++) {
      await retries.pauseAfter(busy(), signal);
      await retries.pauseAfter(busy(), signal);
      retries.progressed();
    }
    await retries.pauseAfter(busy(), signal);
    await retries.pauseAfter(busy(), signal);
    expect(await rejection(retries.pauseAfter(busy(), signal))).toMatchObject({ status: 503 });
  });

  test("an abort ends it at once, with the signal's reason", async () => {
    const abort = new AbortController();
    const retries = createRetries({ ...policy, minDelayMs: 60_000, maxDelayMs: 60_000 });
    const pausing = rejection(retries.pauseAfter(busy(60_000), abort.signal));
    abort.abort("gone");
    expect(await pausing).toBe("gone");
    expect(await rejection(retries.pauseAfter(busy(), abort.signal))).toBe("gone");
  });

  test("what can't get better is not tried again", () => {
    expect(isRetryable(busy())).toBe(true);
    expect(isRetryable(new UpstreamError("teapot", { status: 418 }))).toBe(false);
    expect(isRetryable(new TypeError("a bug"))).toBe(false);
  });
});

describe("a transfer", () => {
  test("that breaks every 10 % finishes, since it gets on each time", async () => {
    const { manager, events } = processOver(api, { retry: { attempts: 2 } });
    api.faults.lose = { atByte: Math.ceil(imageBytes / 10), times: 9 };
    const stream = await manager.get(slug, version, raw);
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(api.counters.transfers).toBe(10);
    expect(events.of("resumed")).toHaveLength(9);
    expect(api.counters.bytesSent).toBeLessThan(1.5 * imageBytes);
  });

  test("asks the source again for each attempt: no token is older than that", async () => {
    const source = plainSource(api);
    const { manager } = processOver(api, { source, retry: { attempts: 5 } });
    Object.assign(api.faults, { lose: { atPercent: 30, times: 2 }, refuse: { status: 503, times: 1 } });
    expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
    const sent = api.counters.requestLog.map(({ headers }) => headers["x-attempt"]);
    expect(sent).toEqual(source.tokens);
    expect(new Set(sent).size).toBe(4);
  });

  test("waits as long as Retry-After says, up to the cap", async () => {
    const { manager } = processOver(api, { retry: { attempts: 3, minDelayMs: 0, maxDelayMs: 300 } });
    for (const retryAfter of [3_600, new Date(Date.now() + 3_600_000).toUTCString()]) {
      api.faults.refuse = { status: 503, times: 1, retryAfter };
      const startedAt = monotonicMs();
      const stream = await manager.get(slug, version, { ...raw, cache: "no-store" });
      expect(monotonicMs() - startedAt).toBeGreaterThanOrEqual(295);
      expect(monotonicMs() - startedAt).toBeLessThan(15_000); // not the hour that it says
      await stream.cancel();
    }
  });

  test("that stalls is broken; a reader that pauses is not", async () => {
    const { manager, events } = processOver(api, { retry: { idleTimeoutMs: 600 }, memoryBytes: chunkBytes });
    api.faults.stall = { atPercent: 50, times: 1 };
    // Past the store, so that the reader's pace is the transfer's.
    const stream = await manager.get(slug, version, { ...raw, cache: "no-store" });
    await readSome(stream, chunkBytes);
    await sleep(1_500); // a slow reader: its pause is longer than an upstream may be silent
    expect(events.of("resumed")).toEqual([]);
    expect((await collect(stream)).bytes).toBe(imageBytes - chunkBytes);
    expect(events.of("resumed")).toMatchObject([
      { cause: { code: "UPSTREAM", message: expect.stringMatching(/600 ms/) } },
    ]);
    expect(api.counters).toMatchObject({ transfers: 2, openConnections: 0 });
  });

  test("that fails for good leaves the old image whole and served, and the next one is right", async () => {
    const { manager, storage } = processOver(api, { retry: { attempts: 2, minDelayMs: 0, maxDelayMs: 0 } });
    await manager.prefetch(slug, version, raw);
    const old = await manager.inspect(slug, version, raw);
    Object.assign(api.faults, {
      change: { content: true, validators: true },
      lose: { atByte: imageBytes / 2 },
      ranges: "off",
    });
    expect(await rejection(collect(await manager.get(slug, version, raw)))).toMatchObject({
      code: "UPSTREAM",
    });
    await settled(api, storage);
    expect(await manager.inspect(slug, version, raw)).toEqual(old);
    const stale = await manager.get(slug, version, { ...raw, cache: "force-cache" });
    expect((await collect(stale)).sha256).toBe(sha256);
    api.faults.lose = undefined;
    expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(
      await api.image(slug, version, {}, 1).sha256,
    );
  });
});
