/** Calls of the disk. Their errors become `STORE` errors, and free room is checked before a save. */
import { statfs } from "node:fs/promises";
import { StoreError } from "../../../core/errors.ts";
import { foreignError, foreignMessage } from "../../../core/foreign-error.ts";
import type { Target } from "./target.ts";

/** Does something on the disk. @throws {StoreError} `STORE`, with the disk's own error as `cause`. */
export async function onDisk<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    const message = `The image can't be saved to "${path}": ${foreignMessage(cause)}`;
    throw new StoreError(message, { cause: foreignError(cause) });
  }
}

/** @throws {StoreError} `STORE` if there is less room than that; its `cause` has the code `ENOSPC`, as of a full disk. */
export async function assertRoom({ path, directory }: Target, neededBytes: number): Promise<void> {
  const disk = await statfs(directory).catch(() => undefined);
  // Some network disks say nothing of their size.
  if (!disk || disk.blocks === 0) return;
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes >= neededBytes) return;
  const text = `ENOSPC: ${neededBytes} bytes are needed, ${freeBytes} are free`;
  await onDisk(path, () => Promise.reject(Object.assign(new Error(text), { code: "ENOSPC" })));
}
