// Loop devices of Linux: block devices over files, as much a disk to the kernel as a card in a reader. They need root.
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs a program; its output. */
export const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

/** A block device, and the file that it is over. */
export interface LoopDevice {
  readonly path: string;
  readonly file: string;
  detach(): void;
}

/** Makes one over a new file of zeros. */
export function loopDevice(file: string, bytes: number, ...options: string[]): LoopDevice {
  const descriptor = openSync(file, "w");
  ftruncateSync(descriptor, bytes);
  closeSync(descriptor);
  const path = run("losetup", "--find", "--show", ...options, file);
  return { path, file, detach: () => void run("losetup", "--detach", path) };
}

/** Why there can be none here; `undefined` where there can. */
export function whyNoLoopDevices(): string | undefined {
  if (process.platform !== "linux") return "loop devices are Linux's";
  if (process.getuid?.() !== 0) return "loop devices need root";
  const file = join(tmpdir(), `loop-probe-${process.pid}`);
  try {
    loopDevice(file, 1024 * 1024).detach();
    return undefined;
  } catch (failure) {
    return `losetup does not work here: ${(failure as Error).message.split("\n").at(-1)}`;
  } finally {
    rmSync(file, { force: true });
  }
}
