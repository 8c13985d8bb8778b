/** When and how long to wait before trying again: back-off with jitter, Retry-After, failures counted without progress. */
import { monotonicMs, random } from "../clock.ts";
import {
  isImageManagerError,
  isUpstreamUnavailable,
  TruncatedDownloadError,
  UpstreamError,
} from "../errors.ts";
import { sleep } from "../waiting.ts";
import { PartsUnavailableError } from "./parts-unavailable.ts";

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
  /** Waits before the next try. Rejects with the failure if there is to be no other try, and with the signal's reason on abort. */
  pauseAfter(failure: unknown, signal: AbortSignal): Promise<void>;
}

/** Starts counting. */
export function createRetries(policy: RetryPolicy): Retries {
  let failures = 0;
  let firstFailedMs = 0;
  let givenUp: unknown;
  return {
    progressed() {
      failures = 0;
    },
    async pauseAfter(failure, signal) {
      signal.throwIfAborted();
      // The code that reads a file and the code that asks for it again share the count, and the failure passes both.
      if (!isRetryable(failure) || failure === givenUp) throw failure;
      failures += 1;
      if (failures === 1) firstFailedMs = monotonicMs();
      if (failures >= policy.attempts) {
        givenUp = afterTries(failure, failures, monotonicMs() - firstFailedMs);
        throw givenUp;
      }
      await pauseBeforeRetry(policy, failures, failure, signal);
    },
  };
}

/** Waits before the next try, after so many failures in a row. Rejects with the signal's reason on abort. */
export function pauseBeforeRetry(
  policy: RetryPolicy,
  failures: number,
  failure: unknown,
  signal: AbortSignal,
): Promise<void> {
  return sleep(retryDelayMs(policy, failures, failure, random()), signal);
}

/** The failure, with word of how often and how long it was tried. */
function afterTries(failure: unknown, tries: number, elapsedMs: number): unknown {
  if (tries === 1) return failure;
  const { message, cause } = failure as Error;
  const told = `${message} (given up after ${tries} tries in ${Math.round(elapsedMs / 1000)} s)`;
  if (failure instanceof UpstreamError) return new UpstreamError(told, failure, { cause });
  if (!(failure instanceof TruncatedDownloadError)) return failure;
  return new TruncatedDownloadError(told, failure.receivedBytes, failure.expectedBytes, { cause });
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
  if (!isImageManagerError(failure) || failure instanceof PartsUnavailableError) return false;
  if (failure.code === "TRUNCATED_DOWNLOAD") return true;
  return isUpstreamUnavailable(failure);
}

/**
 * The upper half of a doubling ceiling, at random, and never less than Retry-After, up to the cap. Not the whole of it: by chance all
 * tries could be over before a short outage is.
 */
export function retryDelayMs(
  policy: RetryPolicy,
  failures: number,
  failure: unknown,
  random: number,
): number {
  const ceilingMs = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** (failures - 1));
  const { retryAfterMs = 0 } = (failure ?? {}) as { retryAfterMs?: number };
  return Math.max(((1 + random) / 2) * ceilingMs, Math.min(retryAfterMs, policy.maxDelayMs));
}
