/** fetch's six cache modes, and staleness, as tables. */
import { describe, expect, test } from "vitest";
import { type CachePlan, isWithinMaxAge, mayServeStale, planGet } from "../../../src/core/freshness/plan.ts";
import type { CacheMode } from "../../../src/core/index.ts";

const now = 1_000_000;
const policy = { maxAgeMs: 100, staleIfErrorMs: 1000 };

describe("planGet", () => {
  test.each<[CacheMode, CachePlan, CachePlan, CachePlan]>([
    // mode, no copy, a young copy, an old copy
    ["default", "transfer", "serve", "revalidate"],
    ["no-cache", "transfer", "revalidate", "revalidate"],
    ["reload", "transfer", "transfer", "transfer"],
    ["no-store", "bypass", "bypass", "bypass"],
    ["force-cache", "transfer", "serve", "serve"],
    ["only-if-cached", "fail", "serve", "serve"],
  ])("%s: without a copy %s, with a young one %s, with an old one %s", (mode, none, young, old) => {
    expect(planGet(mode, undefined, now, policy)).toBe(none);
    expect(planGet(mode, now - 99, now, policy)).toBe(young);
    expect(planGet(mode, now - 100, now, policy)).toBe(old);
  });
});

describe("isWithinMaxAge", () => {
  test.each<[string, number, number, boolean]>([
    ["just seen", now, 1, true],
    ["maxAge 0 is never within", now, 0, false],
    ["one millisecond left", now - 99, 100, true],
    ["exactly over", now - 100, 100, false],
    ["a time in the future is a wrong clock", now + 1, 100, false],
    ["for ever", 0, Number.POSITIVE_INFINITY, true],
  ])("%s", (_, seenAt, maxAgeMs, isWithin) => {
    expect(isWithinMaxAge(seenAt, now, { maxAgeMs, staleIfErrorMs: 0 })).toBe(isWithin);
  });
});

describe("mayServeStale", () => {
  test.each<[CacheMode, boolean]>([
    ["default", true],
    ["no-cache", false],
    ["reload", false],
    ["no-store", false],
    ["force-cache", false],
    ["only-if-cached", false],
  ])("%s: %s", (mode, may) => expect(mayServeStale(mode, now, now, policy)).toBe(may));

  test.each<[string, number, number, number, boolean]>([
    ["at the very end", 1100, 100, 1000, true],
    ["one millisecond later", 1101, 100, 1000, false],
    ["staleIfError 0 ends with maxAge", 101, 100, 0, false],
    ["for ever", 1e12, 0, Number.POSITIVE_INFINITY, true],
    ["both for ever", 1e12, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, true],
  ])("%s", (_, ageMs, maxAgeMs, staleIfErrorMs, may) => {
    expect(mayServeStale("default", now - ageMs, now, { maxAgeMs, staleIfErrorMs })).toBe(may);
  });
});
