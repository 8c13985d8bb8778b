/** Options of `saveImage`: what they are, and that they make sense. */
import { InvalidArgumentError } from "../../../core/errors.ts";
import type { GetOptions } from "../../../core/types.ts";

/** Options of {@link saveImage}: those of `get`, which has the whole image delivered, and how to write it. */
export interface SaveImageOptions extends Omit<GetOptions, "range" | "waitUntil"> {
  /**
   * Flush file and directory to the disk before the call settles, so that not even a power cut takes the image back.
   * Default `false`.
   */
  fsync?: boolean | undefined;
  /** Pieces (chunks of the manager) being written at once, and held in memory. Default 4; 1 to 64. */
  concurrency?: number | undefined;
  /**
   * Fail before the first byte where the disk has less room than the image's size, where that is known. `false` is for images
   * known to be mostly holes, which take less. Default `true`.
   */
  checkSpace?: boolean | undefined;
}

/** The options, apart and with defaults filled in. */
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
    if (name in get) throw new InvalidArgumentError(`"${name}" makes no sense here: an image is saved whole`);
  }
  return { get, fsync, concurrency, checkSpace };
}
