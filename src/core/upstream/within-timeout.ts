/** Limits the time until an upstream answers. */
import { startTimer, stopTimer } from "../clock.ts";
import { UpstreamError } from "../errors.ts";

/** Times the wait for the headers only: the signal that the body hangs on is never timed. */
export async function withinTimeout<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController();
  const timer = startTimer(() => timeout.abort(), timeoutMs);
  try {
    return await run(signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal);
  } catch (failure) {
    if (!timeout.signal.aborted || signal?.aborted) throw failure;
    throw new UpstreamError(`The upstream did not answer within ${timeoutMs} ms`, {}, { cause: failure });
  } finally {
    stopTimer(timer);
  }
}
