/** Writes files atomically: a name always has a complete value, even if others write or delete, or a process dies. */
import { dirname, join } from "node:path";
import { randomName } from "../../core/clock.ts";
import type { CreateResult } from "../../core/types.ts";
import { chmod, link, lstat, mkdir, open, rename, unlink } from "./disk.ts";
import { hasCode, valueOn } from "./failure.ts";
import type { AssertNoLink } from "./links.ts";
import { outwaitWindows } from "./retry.ts";
import { writeFully } from "./write-fully.ts";

/** How files are written. */
export interface WriteOptions {
  /** Where files are until they are whole. On the file system of the final path. */
  readonly temporaryDirectory: string;
  /** Wait until the bytes are on the disk before they get their name. */
  readonly fsync: boolean;
  /** Permissions of files. The umask does not change them, and those of directories follow. Default: the owner alone, since images may be private. */
  readonly mode: number | undefined;
  readonly assertNoLink: AssertNoLink;
}

const ownersAlone = 0o600;

// Each round is lost to someone who deleted a directory just then; that ends, unless the disk is broken.
const maxRounds = 20;

/** What {@link isTemporaryName} recognises. */
const temporaryName = /^[0-9a-f-]{36}\.tmp$/;

/** Whether a name in the temporary directory is one that this file gave. */
export function isTemporaryName(name: string): boolean {
  return temporaryName.test(name);
}

/** Writes a file, replacing the one that is there. Readers see the old value or the new one. */
export function replaceFile(path: string, bytes: Uint8Array, options: WriteOptions): Promise<void> {
  return writeAndPlace(path, bytes, options, (temporary) => outwaitWindows(() => rename(temporary, path)));
}

/** Writes a file only if there is none. A hard link never replaces a file, so exactly one of several writers wins. */
export function createFile(path: string, bytes: Uint8Array, options: WriteOptions): Promise<CreateResult> {
  return writeAndPlace(path, bytes, options, async (temporary) => {
    const result = await tryLink(temporary, path);
    await discard(temporary);
    return result;
  });
}

/** Deletes a file, and tells whether it was there. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await outwaitWindows(() => unlink(path));
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

async function writeAndPlace<T>(
  path: string,
  bytes: Uint8Array,
  options: WriteOptions,
  place: (temporary: string) => Promise<T>,
): Promise<T> {
  for (let round = 1; ; round++) {
    const temporary = join(options.temporaryDirectory, `${randomName()}.tmp`);
    try {
      await withDirectory(options.temporaryDirectory, options, () => writeNewFile(temporary, bytes, options));
      return await withDirectory(dirname(path), options, () => place(temporary));
    } catch (error) {
      await discard(temporary);
      if (round === maxRounds || !hasCode(error, "ENOENT")) throw error;
    }
  }
}

/** Directories are made when their lack shows: no call is spent on them otherwise, and a deleted one comes back. */
async function withDirectory<T>(
  directory: string,
  options: WriteOptions,
  operation: () => Promise<T>,
): Promise<T> {
  await options.assertNoLink(directory);
  try {
    return await operation();
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  await makeDirectory(directory, options);
  return operation();
}

/** Not mkdir's own `recursive`: Node's never ends if a parent exists and refuses with ENOENT, as /proc does. */
async function makeDirectory(directory: string, options: WriteOptions): Promise<void> {
  try {
    await makeOneDirectory(directory, options);
  } catch (error) {
    if (!hasCode(error, "ENOENT") || dirname(directory) === directory) throw error;
    await makeDirectory(dirname(directory), options);
    await makeOneDirectory(directory, options);
  }
}

async function makeOneDirectory(path: string, { mode, assertNoLink }: WriteOptions): Promise<void> {
  await assertNoLink(dirname(path));
  // Anyone who may read files may enter directories.
  const permissions = (fileMode: number) => fileMode | ((fileMode & 0o444) >> 2);
  const isNew = await mkdir(path, permissions(ownersAlone)).then(() => true, valueOn(false, "EEXIST"));
  // By chmod, since a umask takes bits away. One that passes its group on to what is made in it goes on to do so.
  if (isNew && mode !== undefined) await chmod(path, permissions(mode) | ((await lstat(path)).mode & 0o2000));
}

async function writeNewFile(path: string, bytes: Uint8Array, { fsync, mode }: WriteOptions): Promise<void> {
  const handle = await open(path, "wx", ownersAlone);
  try {
    await writeFully(handle, bytes, [0, bytes.byteLength], 0);
    if (mode !== undefined) await chmod(path, mode);
    if (fsync) await handle.sync();
  } finally {
    await handle.close();
  }
}

async function tryLink(temporary: string, path: string): Promise<CreateResult> {
  try {
    await link(temporary, path);
    return "created";
  } catch (error) {
    if (hasCode(error, "EEXIST")) return "exists";
    // No hard links here (FAT, some network disks; EISDIR is what Windows' "invalid function" becomes). Opening the final
    // name exclusively would be no way out: readers would see the value while it is empty or half written, and a crash
    // would leave it so.
    if (hasCode(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EISDIR")) return "unsupported";
    throw error;
  }
}

/** What can't be deleted now is swept later. */
async function discard(temporary: string): Promise<void> {
  await removeFile(temporary).catch(() => {});
}
