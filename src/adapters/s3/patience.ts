/** Waits for an answer as long as bytes arrive. A large object over a slow line is not lost. */

/** A signal that aborts when nothing happens for too long. */
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
  let timer: ReturnType<typeof setTimeout>;
  const wait = (ms: number) => {
    const dueMs = performance.now() + ms;
    timer = setTimeout(() => {
      // While this process was too busy to look, something may have come.
      const lostMs = performance.now() - dueMs;
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
      clearTimeout(timer);
      wait(nextMs);
    },
    end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
    },
  };
}
