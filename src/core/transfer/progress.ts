/** Turns delivered bytes into {@link Progress} reports. */
import type { Progress } from "../types.ts";

/** Makes a reporter; the total may become known later. */
export function createProgress(onProgress: ((progress: Progress) => void) | undefined, now: () => number) {
  const startedAt = now();
  let totalBytes: number | undefined;
  return {
    setTotal(bytes: number | undefined): void {
      totalBytes = bytes;
    },
    report(transferredBytes: number): void {
      try {
        onProgress?.(progressAt(transferredBytes, totalBytes, now() - startedAt));
      } catch {
        // The caller's display must not break the caller's download.
      }
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
