/** How long to wait before a request is tried again. */
import { random } from "../../core/clock.ts";
import { parseRetryAfter } from "../../core/upstream/retry-after.ts";

/** Ceiling of the first random pause; it doubles with each failure. */
const minDelayMs = 100;
/** Largest pause, and largest Retry-After that is honoured: a caller waits a minute at most. */
const maxDelayMs = 10_000;

/** Pause before the next attempt: full jitter, so that many clients of a busy server spread out. */
export function delayMsAfter(failures: number, retryAfter: string | null): number {
  const ceilingMs = Math.min(maxDelayMs, minDelayMs * 2 ** (failures - 1));
  const wantedMs = parseRetryAfter(retryAfter, null) ?? 0;
  return Math.max(random() * ceilingMs, Math.min(maxDelayMs, wantedMs));
}
