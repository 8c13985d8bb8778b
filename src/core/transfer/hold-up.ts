/**
 * Limits how long a slow store may delay a download. Some delay is worth a copy for the next get. A store that is less than half as fast
 * as the upstream is not worth it.
 */
import { monotonicMs, startInterval, stopTimer } from "../clock.ts";

/** Counts the time that is lost to the store. */
export interface HoldUp {
  /** Waits for room to download into, and counts. */
  during<T>(room: Promise<T>): Promise<T>;
}

/** A delay that nobody notices. */
const lookEveryMs = 50;

/**
 * Makes one. `isHolding`: whether somebody waits, and the store is the reason. `giveUp` is called when that has lasted `limitMs` in all,
 * and for longer than everything else. It says whether it has found a quicker way, for which the time counts from zero.
 */
export function createHoldUp(limitMs: number, isHolding: () => boolean, giveUp: () => boolean): HoldUp {
  let startedMs: number | undefined;
  let heldMs = 0;
  return {
    async during(room) {
      let seenMs = monotonicMs();
      startedMs ??= seenMs;
      const look = () => {
        const nowMs = monotonicMs();
        if (isHolding()) heldMs += nowMs - seenMs;
        seenMs = nowMs;
        const isTooLong = heldMs >= limitMs && 2 * heldMs > nowMs - (startedMs as number);
        if (isTooLong && giveUp()) [startedMs, heldMs] = [nowMs, 0];
      };
      const timer = startInterval(look, Math.min(lookEveryMs, limitMs));
      try {
        return await room;
      } finally {
        stopTimer(timer);
      }
    },
  };
}
