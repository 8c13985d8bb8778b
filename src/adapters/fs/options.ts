/** Checks the options of `fsAdapter` and fills in the defaults. */
import { resolve } from "node:path";
import { checkedInteger, checkedObject, requireOption } from "../store-values.ts";

/** Options of {@link fsAdapter}. */
export interface FsAdapterOptions {
  /**
   * Directory of the store. The first write creates it. The directory itself may be a link, but links below it are not followed. A relative
   * path starts at the working directory at the time of the call.
   */
  base: string;
  /**
   * Permissions of new files: `0o600` to `0o777`. Use `0o660` if users of a group share the store, or `0o644` if others only read it. New
   * directories can be entered by everyone who may read the files. The umask does not change these permissions. Default: only the owner
   * can read and write. No effect on Windows.
   */
  mode?: number | undefined;
  /** Flush each value to the disk before it gets its name. A power cut then leaves no incomplete value. Default `false`. */
  fsync?: boolean | undefined;
  /** Most files that are open at the same time: a whole number from 1. Further calls wait. Default 64. */
  maxOpenFiles?: number | undefined;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and its range. */
export function checkedOptions(options: FsAdapterOptions) {
  const { base, fsync = false, mode, maxOpenFiles = 64 } = checkedObject("fsAdapter", options);
  const isPath = typeof base === "string" && base !== "" && !base.includes("\0");
  requireOption(isPath, '"base" must be the path of a directory');
  requireOption(typeof fsync === "boolean", '"fsync" must be true or false');
  // The owner must be able to read and write the files.
  const isMode = mode === undefined || (Number.isInteger(mode) && (mode & ~0o777) === 0 && mode >= 0o600);
  requireOption(isMode, '"mode" must be permissions from 0o600 to 0o777');
  return {
    base: resolve(base),
    fsync,
    mode,
    maxOpenFiles: checkedInteger("maxOpenFiles", maxOpenFiles, 1),
  };
}
