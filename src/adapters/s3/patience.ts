/** Waits for an answer as long as bytes arrive. A large object over a slow line is not lost. */

/** A signal that aborts when nothing happens for too long. */
import { monotonicMs, startTimer, stopTimer, type Timer } from "../../core/clock.ts";

export interface Patience {
  readonly signal: AbortSignal;
  /** Something has come. */
  renew(): void;
  end(): void;
}

/** Timers are a little late on any machine. */
const busyMs = 20;

/** Makes one that waits `firstMs`, and `nextMs` after each renewal. It aborts with `signal`, too. */
export function createPatience(firstMs: number, nextMs: number, signal: AbortSignal | undefined): Patience {
  const stop = new AbortController();
  const leave = () => stop.abort(signal?.reason);
  let timer: Timer;
  const wait = (ms: number) => {
    const dueMs = monotonicMs() + ms;
    timer = startTimer(() => {
      // While this process was too busy to look, something may have come.
      const lostMs = monotonicMs() - dueMs;
      if (lostMs > busyMs) wait(lostMs);
      else stop.abort(new DOMException("Nothing came in time", "TimeoutError"));
    }, ms);
  };
  wait(firstMs);
  if (signal?.aborted) leave();
  signal?.addEventListener("abort", leave, { once: true });
  return {
    signal: stop.signal,
    renew() {
      stopTimer(timer);
      wait(nextMs);
    },
    end() {
      stopTimer(timer);
      signal?.removeEventListener("abort", leave);
    },
  };
}
