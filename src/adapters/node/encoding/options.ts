/** The options of `gzipEncoding` and `zstdEncoding`. */
import { InvalidArgumentError } from "../../../core/errors.ts";

/** How thoroughly chunks are encoded. */
export interface EncodingOptions {
  /** A whole number: 1 is the fastest level, 9 of gzip and 19 of zstd make the smallest chunks. Default: 2 for gzip, 3 for zstd. */
  level?: number | undefined;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the range. */
export function checkedLevel(
  options: EncodingOptions = {},
  [min, max]: readonly [number, number],
  byDefault: number,
): number {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options of an encoding must be an object");
  const { level = byDefault } = options;
  if (Number.isInteger(level) && level >= min && level <= max) return level;
  throw new InvalidArgumentError(`"level" must be a whole number from ${min} to ${max}`);
}
