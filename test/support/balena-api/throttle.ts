// Link speed: hands out the time at which the next bytes may go, shared by all who hold the same throttle.
import { monotonicMs } from "../../../src/core/clock.ts";
import { pause } from "./pause.ts";

/** Waits until that many bytes may go. */
export type Throttle = (bytes: number) => Promise<void>;

// Timers fire late: up to this much lost time is made up for, so that the mean rate holds.
const catchUpMs = 50;

/** A link of that many bytes per second, asked anew each time; `undefined`: no limit. */
export function createThrottle(bytesPerSecond: () => number | undefined): Throttle {
  let freeAtMs = 0;
  return async (bytes) => {
    const rate = bytesPerSecond();
    if (rate === undefined) return;
    const nowMs = monotonicMs();
    freeAtMs = Math.max(freeAtMs, nowMs - catchUpMs) + (bytes / rate) * 1000;
    if (freeAtMs > nowMs) await pause(freeAtMs - nowMs);
  };
}

/** Bytes to send at once: about 10 ms of the slowest link, so that several share it evenly; all without one. */
export function sliceBytes(...rates: (number | undefined)[]): number {
  const slowest = Math.min(...rates.map((rate) => rate ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(slowest)
    ? Math.max(1, Math.min(256 * 1024, Math.ceil(slowest / 100)))
    : Number.POSITIVE_INFINITY;
}
