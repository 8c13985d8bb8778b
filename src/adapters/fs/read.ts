/** Reads a whole file in as few system calls as possible. It reads no links, no special files and no file that is too large. */
import { constants } from "node:fs";
import type { StoreReadOptions } from "../../core/types.ts";
import { withinBound } from "../store-values.ts";
import { type DiskFile, lstat, open } from "./disk.ts";
import { valueOn } from "./failure.ts";
import type { AssertNoLink } from "./links.ts";
import { outwaitWindows } from "./retry.ts";

// Windows has neither. A link in the file's place gives ELOOP, but not on Deno, which follows it. A FIFO would hold a thread of the
// pool until somebody writes to it, and four of them all that the process does with files and names.
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

// What opening says of a missing file, a link, a socket or a device without a driver (on macOS the second to last).
const noFile = ["ENOENT", "ELOOP", "ENXIO", "ENODEV", "EOPNOTSUPP", "EISDIR"] as const;

// Node ends the process at a read of 2 GiB. Chunks are smaller, and read at once.
const maxReadBytes = 64 * 1024 * 1024;

/** The file's bytes in a buffer of the caller's own; `null` if there is no file, or a larger one than was asked for. */
export async function readWholeFile(
  path: string,
  assertNoLink: AssertNoLink,
  options: StoreReadOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  // Asked while the file is opened, since each waits for a thread.
  const isPlain = isReachedPlainly(path, assertNoLink);
  isPlain.catch(() => {}); // it is looked at if there is a file
  const handle = await outwaitWindows(() => open(path, readFlags)).catch(valueOn(null, ...noFile));
  if (handle === null) return null;
  try {
    const stats = await handle.stat();
    if (!(await isPlain) || !stats.isFile() || !withinBound(stats.size, options)) return null;
    return await readBytes(handle, stats.size);
  } finally {
    await handle.close();
  }
}

/** Whether there is a file (links do not count). */
export async function isFile(path: string, assertNoLink: AssertNoLink): Promise<boolean> {
  const stats = await lstat(path).catch(valueOn(null, "ENOENT", "ELOOP"));
  return (stats?.isFile() ?? false) && isReachedPlainly(path, assertNoLink);
}

/** Whether a path is no link, and the way to it is without any. */
export function isReachedPlainly(path: string, assertNoLink: AssertNoLink): Promise<boolean> {
  return assertNoLink(path).then(() => true, valueOn(false, "ELOOP"));
}

async function readBytes(handle: DiskFile, size: number): Promise<Uint8Array<ArrayBuffer>> {
  // Not from Buffer's shared pool, and not zeroed first: every byte handed out is read from the file.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  let filled = 0;
  while (filled < size) {
    const length = Math.min(size - filled, maxReadBytes);
    const { bytesRead } = await handle.read(bytes, filled, length, filled);
    // Files are replaced, never rewritten; if a stranger cut this one, what is left is what it holds.
    if (bytesRead === 0) return bytes.slice(0, filled);
    filled += bytesRead;
  }
  return bytes;
}
