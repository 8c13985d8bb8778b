/** Checks the target of a save before anything is requested or written. */
import { lstat, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { InvalidArgumentError } from "../../../core/errors.ts";
import { hasCode } from "../../fs/failure.ts";
import { onDisk } from "./disk.ts";
import { isTrustedOwner } from "./own-file.ts";

/** A place that a file may take. */
export interface Target {
  /** Absolute, without links. */
  readonly path: string;
  readonly directory: string;
  /** Permissions of the file that is there, else the usual ones; the umask applies. */
  readonly mode: number;
}

/**
 * Follows links, but none that a stranger planted: what is replaced is the file behind them.
 *
 * @param isSecret - The image carries credentials: its file is for its owner alone.
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for what is no path, no file, or in no directory.
 */
export async function checkedTarget(path: unknown, isSecret = false): Promise<Target> {
  const target = await targetOf(path);
  return isSecret ? { ...target, mode: target.mode & 0o600 } : target;
}

async function targetOf(path: unknown): Promise<Target> {
  if (typeof path !== "string" || path === "" || path.includes("\0"))
    throw new InvalidArgumentError('"path" must be the path of a file');
  if (path.endsWith("/"))
    throw new InvalidArgumentError(`"${path}" is the path of a directory, not of a file`);
  await assertTrusted(path);
  const file = await found(path, () => stat(path));
  if (!file) return newTarget(path);
  if (file.isDirectory())
    throw new InvalidArgumentError(`"${path}" is a directory: add the name of the file`);
  if (!file.isFile()) {
    throw new InvalidArgumentError(
      `"${path}" is a device, a socket or a pipe, not a file: writeImage() writes to devices`,
    );
  }
  const real = await onDisk(path, () => realpath(path));
  return { path: real, directory: dirname(real), mode: file.mode & 0o777 };
}

/** As Linux protects links in directories with a sticky bit, and in all others, too. */
export async function assertTrusted(path: string): Promise<void> {
  const entry = await found(path, () => lstat(path));
  if (!entry?.isSymbolicLink()) return;
  const directory = await found(path, () => stat(dirname(resolve(path))));
  if (directory && isTrustedOwner(entry, directory)) return;
  throw new InvalidArgumentError(`"${path}" is a link that another user has made, so it is not followed`);
}

async function newTarget(path: string): Promise<Target> {
  if (await found(path, () => lstat(path)))
    throw new InvalidArgumentError(`"${path}" is a link that leads to nothing`);
  const parent = dirname(resolve(path));
  const directory = await found(path, () => realpath(parent));
  if (directory === undefined) throw new InvalidArgumentError(`There is no directory "${parent}"`);
  return { path: join(directory, basename(path)), directory, mode: 0o666 };
}

async function found<T>(path: string, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    if (hasCode(error, "ENOTDIR", "ELOOP", "ENAMETOOLONG"))
      throw new InvalidArgumentError(`"${path}" is not the path of a file`, { cause: error });
    return onDisk(path, () => Promise.reject(error));
  }
}
