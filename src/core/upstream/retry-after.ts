/** Reads the `Retry-After` header. */
import { wallMs } from "../clock.ts";

/** Seconds or a date (RFC 9110, 10.2.3); a date counts from the response's own clock. */
export function parseRetryAfter(value: string | null, dateHeader: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const delayMs = Date.parse(value) - (dateHeader === null ? wallMs() : Date.parse(dateHeader));
  return Number.isNaN(delayMs) ? undefined : Math.max(0, delayMs);
}
