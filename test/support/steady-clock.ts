// The clock that the core goes by in tests. Its time passes only while this process is at work: a busy machine that keeps the process from
// running for seconds does not make owners of leases look dead, stores look hung, or upstreams look silent.
import { type Clock, platformClock, replaceClock, type Timer } from "../../src/core/clock.ts";

const tickMs = 10;
/** The most that passes at once. On a machine with nothing else to do, ticks are late by a few milliseconds. */
const mostStepMs = 2 * tickMs;

// Taken when this module is loaded: a test may put fake ones in their place, and then wants those to be used.
const real = { setTimeout, clearTimeout, performance, now: performance.now };
const areFaked = () =>
  globalThis.setTimeout !== real.setTimeout ||
  globalThis.performance !== real.performance ||
  performance.now !== real.now;
const realMs = () => real.now.call(real.performance);

let passedMs = 0;
let seenMs = realMs();

/** What has passed up to now. */
function steadyMs(): number {
  const nowMs = realMs();
  passedMs += Math.min(nowMs - seenMs, mostStepMs);
  seenMs = nowMs;
  return passedMs;
}

/** It runs later than a timer of the platform would if the process stood still meanwhile. */
class SteadyTimer {
  #timeout: Timer | undefined;

  constructor(run: () => void, delayMs: number, isAgain = false) {
    let dueMs = steadyMs() + delayMs;
    const arm = (leftMs: number) => {
      this.#timeout = real.setTimeout(() => {
        const stillMs = dueMs - steadyMs();
        if (stillMs > 0) return arm(stillMs);
        if (isAgain) {
          dueMs = passedMs + delayMs;
          arm(delayMs);
        }
        run();
      }, leftMs);
    };
    arm(delayMs);
  }

  stop(): void {
    real.clearTimeout(this.#timeout);
  }
}

const steadyClock: Clock = {
  ...platformClock,
  monotonicMs: () => (areFaked() ? platformClock.monotonicMs() : steadyMs()),
  startTimer: (run, delayMs) =>
    areFaked() ? platformClock.startTimer(run, delayMs) : (new SteadyTimer(run, delayMs) as never),
  startInterval: (run, everyMs) =>
    areFaked() ? platformClock.startInterval(run, everyMs) : (new SteadyTimer(run, everyMs, true) as never),
  stopTimer(timer) {
    if ((timer as unknown) instanceof SteadyTimer) (timer as unknown as SteadyTimer).stop();
    else platformClock.stopTimer(timer);
  },
};

let isTicking = false;

/** Makes all managers of this process go by it, until another clock is put in its place. */
export function useSteadyClock(): void {
  if (!isTicking) setInterval(steadyMs, tickMs).unref();
  isTicking = true;
  replaceClock(steadyClock);
}
