/** Checks the options of `saveImage` and fills in the defaults. */
import { InvalidArgumentError } from "../../../core/errors.ts";
import type { GetOptions } from "../../../core/types.ts";

/** Options of {@link saveImage}: options of `get`, and how to write the file. `range` and `waitUntil` are not allowed. */
export interface SaveImageOptions extends Omit<GetOptions, "range" | "waitUntil"> {
  /**
   * Flush the file and its directory to the disk before the call resolves. The saved image then survives a power cut. Default `false`.
   */
  fsync?: boolean | undefined;
  /** Number of chunks that are written, and held in memory, at the same time: 1 to 64. Default 4. */
  concurrency?: number | undefined;
  /**
   * Fail before the first byte if the image's size is known and the disk has less room. Set `false` for images that are mostly zeros: they
   * take less room, because zeros become holes. Default `true`.
   */
  checkSpace?: boolean | undefined;
}

/** The options with defaults, separated from those of `get`. */
export interface CheckedSaveOptions {
  readonly get: GetOptions;
  readonly fsync: boolean;
  readonly concurrency: number;
  readonly checkSpace: boolean;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option. Those of `get` are checked there. */
export function checkedSaveOptions(options: SaveImageOptions): CheckedSaveOptions {
  const { fsync = false, concurrency = 4, checkSpace = true, ...get } = options;
  for (const [name, value] of Object.entries({ fsync, checkSpace })) {
    if (typeof value !== "boolean") throw new InvalidArgumentError(`"${name}" must be true or false`);
  }
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 64)
    throw new InvalidArgumentError('"concurrency" must be a whole number from 1 to 64');
  for (const name of ["range", "waitUntil"]) {
    if (name in get) throw new InvalidArgumentError(`"${name}" is not allowed: the whole image is saved`);
  }
  return { get, fsync, concurrency, checkSpace };
}
