/** Time and chance. No other file of the core asks the platform for them, so a simulation can give its own and repeat a run exactly. */

/** Something that happens later, until it is stopped. */
export type Timer = ReturnType<typeof setTimeout>;

/** What a platform says about time and chance. */
export interface Clock {
  /** Milliseconds since 1970. It may jump. */
  wallMs(): number;
  /** Milliseconds since some time. It never goes back. */
  monotonicMs(): number;
  startTimer(run: () => void, delayMs: number): Timer;
  /** Runs again and again. */
  startInterval(run: () => void, everyMs: number): Timer;
  stopTimer(timer: Timer | undefined): void;
  /** From 0 to 1, without 1. */
  random(): number;
  randomBytes(length: number): Uint8Array<ArrayBuffer>;
  /** A name that nobody else has. */
  randomName(): string;
  /** The name of this process: the same at each call. */
  processName(): string;
}

// Made when first needed: workerd has no random numbers while a module loads.
let ownName: string | undefined;

/** The platform's own. Each looks its global up when it is called: a test may have replaced it. */
export const platformClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  startTimer: (run, delayMs) => setTimeout(run, delayMs),
  startInterval: (run, everyMs) => setInterval(run, everyMs),
  stopTimer: (timer) => clearTimeout(timer),
  random: () => Math.random(),
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  randomName: () => crypto.randomUUID(),
  processName: () => (ownName ??= crypto.randomUUID()),
};

let current = platformClock;

/** For tests alone: all managers of this process go by another clock, until the returned function is called. */
export function replaceClock(other: Clock): () => void {
  const before = current;
  current = other;
  return () => {
    current = before;
  };
}

export const wallMs = (): number => current.wallMs();
export const monotonicMs = (): number => current.monotonicMs();
export const startTimer = (run: () => void, delayMs: number): Timer => current.startTimer(run, delayMs);
export const startInterval = (run: () => void, everyMs: number): Timer => current.startInterval(run, everyMs);
export const stopTimer = (timer: Timer | undefined): void => current.stopTimer(timer);
export const random = (): number => current.random();
export const randomBytes = (length: number): Uint8Array<ArrayBuffer> => current.randomBytes(length);
export const randomName = (): string => current.randomName();
export const processName = (): string => current.processName();
