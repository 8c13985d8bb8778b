/** Opens only files of this user. In a shared directory, a file may belong to another user, or be a link to anything. */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";

// A link gives ELOOP (not on Deno, so it is checked before), and a pipe does not block a thread. Windows has neither.
const openFlags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Whether a path is a regular file of this user's, under this one name. */
export async function isOwnFile(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  return stats !== undefined && isOwn(stats);
}

/** Opens such a file for reading and writing; `undefined` for anything else. */
export async function openOwnFile(path: string): Promise<FileHandle | undefined> {
  const before = await lstat(path).catch(() => undefined);
  if (!before || !isOwn(before)) return undefined;
  const file = await open(path, openFlags).catch(() => undefined);
  const opened = await file?.stat().catch(() => undefined);
  if (opened && isOwn(opened) && opened.ino === before.ino && opened.dev === before.dev) return file;
  await file?.close().catch(() => {});
  return undefined;
}

/** Whether what somebody made under a name may be followed: by this user, by the owner of the directory, or by root. */
export function isTrustedOwner({ uid }: Stats, directory: Stats): boolean {
  const own = process.getuid?.();
  return own === undefined || uid === own || uid === directory.uid || uid === 0;
}

/** With a second name, the file is also one that this user may have put elsewhere. Windows has no owners. */
function isOwn(stats: Stats): boolean {
  const isMine = stats.uid === (process.getuid?.() ?? stats.uid);
  return stats.isFile() && isMine && stats.nlink === 1;
}
