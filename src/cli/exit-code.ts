/** What a failure is to a shell: an exit code for each thing that a script can do about it. */
import { type ImageManagerErrorCode, InvalidArgumentError, isImageManagerError } from "../core/index.ts";

/** 1 is what nobody expected. docs/command-line.md has the same table. */
export const exitCodes: Record<ImageManagerErrorCode, number> = {
  ...{ INVALID_ARGUMENT: 2, INVALID_VERSION: 2 },
  ...{ DEVICE_TYPE_NOT_FOUND: 3, VERSION_NOT_FOUND: 3, NOT_CACHED: 3 },
  ...{ UPSTREAM: 5, TRUNCATED_DOWNLOAD: 5, IMAGE_CHANGED: 5 },
  ...{ STORE: 6, LISTING_INCOMPLETE: 6 },
  ...{ UNAUTHORIZED: 4, INTEGRITY: 7, EDIT: 1, CLOSED: 1 },
};

/** What shells say of a process that such a signal has ended; and how long it may take to end. */
export const [signals, stopMs] = [{ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }, 5_000];

/** `failure` may be the name of a signal. A reader that is gone is SIGPIPE; a full disk is one like the store's. */
export function exitCodeOf(failure: unknown): number {
  if (typeof failure === "string") return signals[failure as keyof typeof signals] ?? 1;
  if (isImageManagerError(failure)) return exitCodes[failure.code] ?? 1;
  const { code } = failure as NodeJS.ErrnoException;
  return code === "EPIPE" ? 141 : code === "ENOSPC" ? exitCodes.STORE : 1;
}

export const wrong = (what: string) => new InvalidArgumentError(`${what}. Help: balena-image-manager --help`);
