/** Turns delivered bytes into {@link Progress} reports. */
import type { Progress } from "../types.ts";

/** Reports to a caller how many bytes were delivered. */
export interface ProgressReporter {
  /** The total, if it is certain. */
  setTotal(bytes: number | undefined): void;
  /** The total as somebody guesses it: for want of anything better. */
  setGuess(bytes: number | undefined): void;
  /** `share`: how much (0 to 1) of what the upstream sends has come with these bytes, if the upstream says how much it sends. */
  report(transferredBytes: number, share?: number): void;
  /** All is there: says so, unless the last report did. */
  finish(transferredBytes: number): void;
}

/** 100 % means that all bytes are there. A small file has come whole before its first bytes are inflated. */
const mostBeforeEnd = 99.5;

/** Makes a reporter. Its percentages never go down, even if an estimate was wrong. */
export function createProgress(
  onProgress: ((progress: Progress) => void) | undefined,
  now: () => number,
): ProgressReporter {
  const startedAt = now();
  let totalBytes: number | undefined;
  let guessedBytes: number | undefined;
  let last: Progress | undefined;

  const totalBy = (transferredBytes: number, share: number | undefined): number | undefined => {
    if (totalBytes !== undefined || share === undefined || share <= 0) return totalBytes ?? guessedBytes;
    const percent = Math.max(Math.min(100 * share, mostBeforeEnd), last?.percent ?? 0);
    return Math.ceil((100 * transferredBytes) / percent);
  };

  const report = (transferredBytes: number, share?: number): void => {
    if (!onProgress) return;
    const progress = progressAt(transferredBytes, totalBy(transferredBytes, share), now() - startedAt);
    if (progress.percent !== undefined) progress.percent = Math.max(progress.percent, last?.percent ?? 0);
    last = progress;
    try {
      onProgress({ ...progress });
    } catch {
      // The caller's display must not break the caller's download.
    }
  };

  return {
    report,
    setTotal(bytes) {
      totalBytes = bytes;
    },
    setGuess(bytes) {
      guessedBytes = bytes;
    },
    finish(transferredBytes) {
      if (last?.percent === 100 && last.totalBytes === transferredBytes) return;
      totalBytes = transferredBytes;
      report(transferredBytes);
    },
  };
}

/** The report at a moment. An estimate may turn out too small: then it is the total no more. */
export function progressAt(
  transferredBytes: number,
  totalBytes: number | undefined,
  elapsedMs: number,
): Progress {
  const bytesPerSecond = elapsedMs > 0 ? (transferredBytes * 1000) / elapsedMs : 0;
  if (totalBytes === undefined || totalBytes < transferredBytes) return { transferredBytes, bytesPerSecond };
  const percent = totalBytes === 0 ? 100 : (100 * transferredBytes) / totalBytes;
  const etaMs = bytesPerSecond > 0 ? ((totalBytes - transferredBytes) * 1000) / bytesPerSecond : undefined;
  return { transferredBytes, totalBytes, percent, bytesPerSecond, ...(etaMs !== undefined && { etaMs }) };
}
