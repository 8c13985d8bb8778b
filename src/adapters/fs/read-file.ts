/** Reads a whole file in as few system calls as possible: open, stat, read, close. */
import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { outwaitWindows, valueOn } from "./errno.ts";

// Windows has no such flag. Where a link was planted in a file's place, opening it gives ELOOP.
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);

/** The file's bytes in a buffer of the caller's own; `null` where there is no file. */
export async function readWholeFile(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
  const handle = await outwaitWindows(() => open(path, readFlags)).catch(valueOn(null, "ENOENT", "ELOOP"));
  if (handle === null) return null;
  try {
    const stats = await handle.stat();
    return stats.isFile() ? await readBytes(handle, stats.size) : null;
  } finally {
    await handle.close();
  }
}

/** Whether there is a file (links do not count). */
export async function isFile(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(valueOn(null, "ENOENT"));
  return stats?.isFile() ?? false;
}

async function readBytes(handle: FileHandle, size: number): Promise<Uint8Array<ArrayBuffer>> {
  // Not from Buffer's shared pool, and not zeroed first: every byte handed out is read from the file.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
    // Files are replaced, never rewritten; if a stranger cut this one, what is left is what it holds.
    if (bytesRead === 0) return bytes.slice(0, filled);
    filled += bytesRead;
  }
  return bytes;
}
