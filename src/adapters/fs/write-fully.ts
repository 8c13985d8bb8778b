/** Writes all bytes into an open file. One call of the system may write only some of them. */
import type { DiskFile } from "./disk.ts";

// Linux gives a write of 2 MiB and more huge pages of its page cache. Finding those took a first get a fifth of its time.
const maxWriteBytes = 512 * 1024;

/** Writes the bytes from `start` to `end` (exclusive) to that position of the file. */
export async function writeFully(
  file: DiskFile,
  bytes: Uint8Array,
  [start, end]: readonly [start: number, end: number],
  position: number,
): Promise<void> {
  for (let at = start; at < end; ) {
    const length = Math.min(maxWriteBytes, end - at);
    at += (await file.write(bytes, at, length, position + at - start)).bytesWritten;
  }
}
