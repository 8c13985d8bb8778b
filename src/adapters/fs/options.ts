/** Checks the options of `fsAdapter` and fills in the defaults. */
import { resolve } from "node:path";
import { checkedInteger, checkedObject, requireOption } from "../values.ts";

/** Options of {@link fsAdapter}. */
export interface FsAdapterOptions {
  /**
   * Directory to keep values in, made with the first write. It may be a link itself; links below it are not followed. Relative
   * paths count from the working directory at the time of the call.
   */
  base: string;
  /**
   * Permissions of the files that it writes, for example `0o660` where several users of a group share the store, or `0o644` where
   * others only read it. Directories that it makes let in whoever may read. Both are set whatever the umask. `0o600` to `0o777`.
   * Default: the owner alone. No effect on Windows.
   */
  mode?: number | undefined;
  /** Flush a value to the disk before it gets its name, so that not even a power cut leaves it torn. Default `false`. */
  fsync?: boolean | undefined;
  /** Files open at once; more calls wait. Default 64; a whole number from 1. */
  maxOpenFiles?: number | undefined;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and its range. */
export function checkedOptions(options: FsAdapterOptions) {
  const { base, fsync = false, mode, maxOpenFiles = 64 } = checkedObject("fsAdapter", options);
  const isPath = typeof base === "string" && base !== "" && !base.includes("\0");
  requireOption(isPath, '"base" must be the path of a directory');
  requireOption(typeof fsync === "boolean", '"fsync" must be true or false');
  // Without its owner's right to read and write a file would be of no use.
  const isMode = mode === undefined || (Number.isInteger(mode) && (mode & ~0o777) === 0 && mode >= 0o600);
  requireOption(isMode, '"mode" must be permissions from 0o600 to 0o777');
  return {
    base: resolve(base),
    fsync,
    mode,
    maxOpenFiles: checkedInteger("maxOpenFiles", maxOpenFiles, 1),
  };
}
