/** When and how long to wait: back-off, jitter, Retry-After and their caps, as plain numbers. */
import { describe, expect, test } from "vitest";
import { TruncatedDownloadError, UnauthorizedError, UpstreamError } from "../../../src/core/errors.ts";
import { createRetries, isRetryable, retryDelayMs } from "../../../src/core/upstream/retry.ts";
import { parseRetryAfter } from "../../../src/core/upstream/retry-after.ts";
import { sleep } from "../../../src/core/waiting.ts";
import { rejection } from "../../support/collect.ts";

const policy = { attempts: 3, minDelayMs: 100, maxDelayMs: 1000, idleTimeoutMs: 1 };
const live = new AbortController().signal;

describe("retryDelayMs", () => {
  const asked = (retryAfterMs: number) => new UpstreamError("busy", { status: 503, retryAfterMs });
  test.each<[string, number, unknown, number, number]>([
    ["the first ceiling", 1, undefined, 1, 100],
    ["it doubles", 3, undefined, 1, 400],
    ["up to the cap", 9, undefined, 1, 1000],
    ["jitter takes any part of its upper half", 2, undefined, 0.5, 150],
    ["at least the half", 2, undefined, 0, 100],
    ["Retry-After is the least", 1, asked(700), 0.1, 700],
    ["a longer pause stays", 4, asked(10), 1, 800],
    ["Retry-After beyond the cap is cut", 1, asked(1e9), 0, 1000],
  ])("%s", (_, failures, failure, random, delayMs) => {
    expect(retryDelayMs(policy, failures, failure, random)).toBe(delayMs);
  });
});

describe("isRetryable", () => {
  test.each<[unknown, boolean]>([
    [new UpstreamError("lost"), true],
    [new UpstreamError("busy", { status: 503 }), true],
    [new UpstreamError("slow down", { status: 429 }), true],
    [new UpstreamError("bad", { status: 400 }), false],
    [new UpstreamError("nonsense", { unavailable: false }), false],
    [new TruncatedDownloadError("short", 1, 2), true],
    [new UnauthorizedError("no", 401), false],
    [new TypeError("a bug"), false],
    [undefined, false],
  ])("%s: %s", (failure, expected) => expect(isRetryable(failure)).toBe(expected));
});

describe("createRetries", () => {
  const quick = { ...policy, minDelayMs: 0 };
  const lost = new UpstreamError("lost");

  test.each([
    [new UpstreamError("lost", { status: 503, retryAfterMs: 5 }, { cause: "why" })],
    [new TruncatedDownloadError("lost", 1, 2, { cause: "why" })],
  ])("gives up after so many in a row, and says how often and how long it was tried: %s", async (failure) => {
    const retries = createRetries(quick);
    await retries.pauseAfter(failure, live);
    await retries.pauseAfter(failure, live);
    const given = await rejection(retries.pauseAfter(failure, live));
    expect(given).toMatchObject({
      ...failure,
      message: "lost (given up after 3 tries in 0 s)",
      cause: "why",
    });
    // It may pass a second one who counts.
    await expect(retries.pauseAfter(given, live)).rejects.toBe(given);
  });

  test("one try alone is told as it went", async () => {
    await expect(createRetries({ ...quick, attempts: 1 }).pauseAfter(lost, live)).rejects.toBe(lost);
  });

  test("starts over with progress", async () => {
    const retries = createRetries(quick);
    for (let round = 0; round < 5; round++) {
      await retries.pauseAfter(lost, live);
      await retries.pauseAfter(lost, live);
      retries.progressed();
    }
  });

  test("gives up at once on what no retry helps", async () => {
    const failure = new UnauthorizedError("no", 401);
    await expect(createRetries(quick).pauseAfter(failure, live)).rejects.toBe(failure);
  });

  test("an abort ends the pause with its reason", async () => {
    const abort = new AbortController();
    const pausing = createRetries({ ...policy, minDelayMs: 60_000, maxDelayMs: 60_000 }).pauseAfter(
      new UpstreamError("busy", { status: 503, retryAfterMs: 60_000 }),
      abort.signal,
    );
    abort.abort("enough");
    await expect(pausing).rejects.toBe("enough");
    await expect(sleep(1, abort.signal)).rejects.toBe("enough");
  });
});

describe("parseRetryAfter", () => {
  const date = "Thu, 01 Jan 2026 00:00:00 GMT";
  test.each<[string | null, number | undefined]>([
    [null, undefined],
    ["0", 0],
    [" 120 ", 120_000],
    ["Thu, 01 Jan 2026 00:00:05 GMT", 5000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
    ["soon", undefined],
    ["", undefined],
  ])("%s", (value, expected) => expect(parseRetryAfter(value, date)).toBe(expected));
});
