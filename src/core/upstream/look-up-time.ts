/** The time limit of look-ups: a time without a byte, and six times that in total. */
import { startTimer, stopTimer } from "../clock.ts";
import { UpstreamError } from "../errors.ts";
import type { SourceOptions } from "../types.ts";
import { unlessAborted } from "../waiting.ts";

const wholeByIdle = 6;

/** The time that a look-up has in all, with its retries. */
export const wholeLookUpMs = (lookUpTimeoutMs: number): number => wholeByIdle * lookUpTimeoutMs;

/** One try of a look-up. Rejects when its time is over, whether or not the work heeds its signal. */
export async function withinLookUpTime<T>(
  lookUpTimeoutMs: number,
  signal: AbortSignal | undefined,
  run: (options: SourceOptions) => Promise<T>,
): Promise<T> {
  return withinIdleTime(lookUpTimeoutMs, signal, run, wholeLookUpMs(lookUpTimeoutMs));
}

/** Work that may go on for `wholeMs`, and for `idleMs` without a call of `onBytes`. */
export async function withinIdleTime<T>(
  idleMs: number,
  signal: AbortSignal | undefined,
  run: (options: Required<SourceOptions> & { readonly signal: AbortSignal }) => Promise<T>,
  wholeMs = idleMs,
): Promise<T> {
  const late = new AbortController();
  const give = (what: string, ms: number) => () =>
    late.abort(new UpstreamError(`The upstream ${what} within ${ms} ms`));
  let idle = startTimer(give("did not answer a look-up", idleMs), idleMs);
  const whole = startTimer(give("did not finish a look-up", wholeMs), wholeMs);
  const onBytes = () => {
    stopTimer(idle);
    if (!isOver) idle = startTimer(give("did not go on with a look-up", idleMs), idleMs);
  };
  let isOver = false;
  const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
  try {
    return await unlessAborted(either, () => run({ signal: either, onBytes }));
  } finally {
    isOver = true;
    stopTimer(idle);
    stopTimer(whole);
  }
}
