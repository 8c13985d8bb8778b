/** When and how long to wait before trying again: full-jitter back-off, Retry-After, failures counted without progress. */
import { isImageManagerError, type UpstreamError } from "../errors.ts";

/** How often and how fast to try again. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly idleTimeoutMs: number;
}

/** Counts the failures in a row of one undertaking. */
export interface Retries {
  /** Something new came: the count starts over. */
  progressed(): void;
  /** Waits before the next try; rejects with the failure where there is to be none, with the signal's reason on abort. */
  pauseAfter(failure: unknown, signal: AbortSignal): Promise<void>;
}

/** Starts counting. */
export function createRetries(policy: RetryPolicy): Retries {
  let failures = 0;
  return {
    progressed() {
      failures = 0;
    },
    async pauseAfter(failure, signal) {
      signal.throwIfAborted();
      failures += 1;
      if (failures >= policy.attempts || !isRetryable(failure)) throw failure;
      await sleep(retryDelayMs(policy, failures, failure, Math.random()), signal);
    },
  };
}

/** Runs something until it succeeds, a failure is final, or the attempts are used up. */
export async function withRetries<T>(
  retries: Retries,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch (failure) {
      await retries.pauseAfter(failure, signal);
    }
  }
}

/** Whether a later try may go better. */
export function isRetryable(failure: unknown): boolean {
  if (!isImageManagerError(failure)) return false;
  if (failure.code === "TRUNCATED_DOWNLOAD") return true;
  return isUpstreamUnavailable(failure);
}

/** Whether the upstream can't be reached or is in trouble, so that a cached copy may stand in for it. */
export function isUpstreamUnavailable(failure: unknown): boolean {
  return (
    isImageManagerError(failure) && failure.code === "UPSTREAM" && (failure as UpstreamError).unavailable
  );
}

/** Full jitter (a random part of a doubling ceiling), and never less than Retry-After, up to the cap. */
export function retryDelayMs(
  policy: RetryPolicy,
  failures: number,
  failure: unknown,
  random: number,
): number {
  const ceilingMs = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** (failures - 1));
  const { retryAfterMs = 0 } = (failure ?? {}) as { retryAfterMs?: number };
  return Math.max(random * ceilingMs, Math.min(retryAfterMs, policy.maxDelayMs));
}

/** Waits; rejects with the signal's reason on abort. */
export function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, delayMs);
    signal.addEventListener("abort", stop, { once: true });
  });
}
