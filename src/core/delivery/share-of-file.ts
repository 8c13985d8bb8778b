/** Progress while the image's size is not known: the share of the upstream's file that the delivered bytes needed. */
import type { TransferWindow } from "../memory/window.ts";

/**
 * The share (0 to 1) of the file's rest from `start` on that brought so many bytes of the image; `undefined` if its length is
 * unknown.
 */
export function shareOf(window: TransferWindow, start: number, bytes: number): number | undefined {
  const last = window.fileAt(Math.ceil((start + bytes) / window.chunkBytes) - 1);
  if (!last) return undefined;
  const before = window.fileAt(Math.floor(start / window.chunkBytes) - 1)?.bytes ?? 0;
  return before < last.totalBytes ? (last.bytes - before) / (last.totalBytes - before) : undefined;
}
