/** Decides whether a temporary file is still being written or was left by a crash. The file's name has its process. */

import { createHash } from "node:crypto";
import { lstat, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { wallMs } from "../../../core/clock.ts";
import { hasCode } from "../../fs/failure.ts";

/** Owner of a file that was left on purpose, to go on with. */
export const nobody = "free";

// A process that writes does so far more often: a transfer without a byte for minutes is given up.
const abandonedAfterMs = 60 * 60 * 1000;

/** This process, as it stands in names. */
export async function thisOwner(): Promise<string> {
  return `${await processWorld()}-${process.pid}`;
}

/** Whether nobody is writing a file any more. One of a foreign host, or of a process id that lives on, only after an hour. */
export async function isAbandoned(path: string, owner: string): Promise<boolean> {
  if (owner === nobody) return true;
  const [world, pid] = owner.split("-");
  if (world === (await processWorld()) && !isAlive(Number(pid))) return true;
  const file = await lstat(path).catch(() => undefined);
  return file !== undefined && wallMs() - file.mtimeMs > abandonedAfterMs;
}

/** Where process ids mean the same: a host, on Linux one of its pid namespaces. */
async function processWorld(): Promise<string> {
  const namespace = await readlink("/proc/self/ns/pid").catch(() => "");
  return createHash("sha256").update(`${hostname()}\n${namespace}`).digest("hex").slice(0, 8);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}
