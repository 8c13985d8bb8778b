/** Waits for work or for time. An abort ends each wait at once. */

import { bounds } from "./bounds.ts";
import { monotonicMs, startTimer, stopTimer, type Timer } from "./clock.ts";

/** Rejects with the signal's reason as soon as it is aborted, whether or not the work can be stopped. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  if (!signal) return run();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([run(), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Waits. Rejects with the signal's reason on abort. */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      stopTimer(timer);
      reject(signal?.reason);
    };
    const timer = startTimer(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Timers are a little late on any machine. */
const busyMs = 20;

/**
 * Waits for work within a time limit, and rejects with what `onLate` gives if that is over. The work itself goes on. A limit that is a
 * function is asked at the beginning, and again whenever the time that it gave is over: work that makes progress may take longer.
 */
export async function withinTime<T>(
  call: () => Promise<T> | T,
  limitMs: number | (() => number),
  onLate: () => unknown,
): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    let dueMs = 0;
    const watch = (ms: number) => {
      const delayMs = Math.min(Math.ceil(ms), bounds.timerMs);
      dueMs = monotonicMs() + delayMs;
      timer = startTimer(look, delayMs);
    };
    const look = () => {
      // While this process was too busy to look, an answer may have come: that time is not the work's.
      const lostMs = monotonicMs() - dueMs;
      const left = Math.max(typeof limitMs === "number" ? 0 : limitMs(), lostMs > busyMs ? lostMs : 0);
      if (left > 0) watch(left);
      else reject(onLate());
    };
    watch(typeof limitMs === "number" ? limitMs : limitMs());
  });
  try {
    return await Promise.race([call(), late]);
  } finally {
    stopTimer(timer);
  }
}
