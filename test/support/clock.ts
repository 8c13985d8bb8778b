// A clock that moves only when a test says so.

/** The time of day for a manager; timers stay real. */
export interface FakeClock {
  /** To be given as `now`. */
  now(): number;
  advance(byMs: number): void;
}

/** Starts at the real time: the loopback API's Date headers are real ones. */
export function fakeClock(startMs: number = Date.now()): FakeClock {
  let timeMs = startMs;
  return {
    now: () => timeMs,
    advance(byMs) {
      timeMs += byMs;
    },
  };
}
