/** How long to wait before a request is tried again. */

/** Ceiling of the first random pause; it doubles with each failure. */
const minDelayMs = 100;
/** Largest pause, and largest Retry-After that is honoured: a caller waits a minute at most. */
const maxDelayMs = 10_000;

/** Pause before the next attempt: full jitter, so that many clients of a busy server spread out. */
export function delayMsAfter(failures: number, retryAfter: string | null): number {
  const ceilingMs = Math.min(maxDelayMs, minDelayMs * 2 ** (failures - 1));
  return Math.max(Math.random() * ceilingMs, Math.min(maxDelayMs, retryAfterMs(retryAfter)));
}

/** Seconds or a date; 0 if there is neither. */
function retryAfterMs(value: string | null): number {
  if (value === null) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.max(ms, 0);
}
