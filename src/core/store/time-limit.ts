/** Ends the wait for a store call that takes too long. The call itself goes on, but its result is ignored. */

/** Beyond 2^31 a timer fires at once. */
const maxTimerMs = 2 ** 31 - 1;
/** Timers are a little late on any machine. */
const busyMs = 20;

/**
 * Waits for a call. `leftMs` is asked at the beginning, and again whenever the time that it gave is over: a call that gets on may take
 * longer. If nothing is left, it rejects with what `onLate` gives.
 */
export async function withinTime<T>(
  call: () => Promise<T> | T,
  leftMs: () => number,
  onLate: () => unknown,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    let dueMs = 0;
    const watch = (ms: number) => {
      const delayMs = Math.min(Math.ceil(ms), maxTimerMs);
      dueMs = performance.now() + delayMs;
      timer = setTimeout(look, delayMs);
    };
    const look = () => {
      // While this process was too busy to look, an answer may have come: that time is not the store's.
      const lostMs = performance.now() - dueMs;
      const left = Math.max(leftMs(), lostMs > busyMs ? lostMs : 0);
      if (left > 0) watch(left);
      else reject(onLate());
    };
    watch(leftMs());
  });
  try {
    return await Promise.race([call(), late]);
  } finally {
    clearTimeout(timer);
  }
}
