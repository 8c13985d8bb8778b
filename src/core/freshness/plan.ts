/** Decides what a get does with the copy that it found, or without one: fetch's six cache modes as one function of plain data. */
import type { CacheMode } from "../types.ts";

/** How long a copy is good for. */
export interface FreshnessPolicy {
  readonly maxAgeMs: number;
  readonly staleIfErrorMs: number;
}

/**
 * - `serve`: deliver the copy without a request
 * - `revalidate`: ask the upstream whether the copy is still right
 * - `transfer`: download the image, even if there is a copy
 * - `bypass`: download the image without the cache
 * - `fail`: the image must come from the cache, but it is not there
 */
export type CachePlan = "serve" | "revalidate" | "transfer" | "bypass" | "fail";

/** Decides it. `validatedAt` is `undefined` if there is no copy. */
export function planGet(
  mode: CacheMode,
  validatedAt: number | undefined,
  now: number,
  policy: FreshnessPolicy,
): CachePlan {
  if (mode === "no-store") return "bypass";
  if (mode === "reload") return "transfer";
  if (validatedAt === undefined) return mode === "only-if-cached" ? "fail" : "transfer";
  if (mode === "force-cache" || mode === "only-if-cached") return "serve";
  if (mode === "no-cache") return "revalidate";
  return isWithinMaxAge(validatedAt, now, policy) ? "serve" : "revalidate";
}

/** Whether something seen at a time needs no new look. A time in the future is a wrong clock and counts as old. */
export function isWithinMaxAge(seenAt: number, now: number, policy: FreshnessPolicy): boolean {
  const ageMs = now - seenAt;
  return ageMs >= 0 && ageMs < policy.maxAgeMs;
}

/** Whether a copy may stand in for an upstream that can't be reached. Only `default` allows it, as in fetch. */
export function mayServeStale(
  mode: CacheMode,
  validatedAt: number,
  now: number,
  policy: FreshnessPolicy,
): boolean {
  return mode === "default" && now - validatedAt - policy.maxAgeMs <= policy.staleIfErrorMs;
}
