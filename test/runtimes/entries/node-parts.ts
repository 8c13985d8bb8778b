// What the suites need of Node's modules, on every runtime that has them.
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { gzipEncoding, saveImage, serve, zstdEncoding } from "../../../src/adapters/node/index.ts";
import type { NodeParts } from "../suites/operations.ts";

/** `saveImage` and `serve`, with files in a directory. */
export function nodeParts(directory: string): NodeParts {
  return {
    saveImage,
    serve,
    gzipEncoding,
    zstdEncoding,
    newPath: () => join(directory, `${crypto.randomUUID()}.img`),
  };
}

/** What holds the process: timers and requests of the file system, and open files, each by its number. */
export async function nodeResources(): Promise<Record<string, number>> {
  const names = process.getActiveResourcesInfo();
  const count = (kind: RegExp) => names.filter((name) => kind.test(name)).length;
  return {
    timers: count(/^(Timeout|Immediate)$/),
    requests: count(/^FSReq/),
    files: await openFiles(),
  };
}

/** Of those that have a path. */
export async function openFiles(): Promise<number> {
  const descriptors = await readdir("/proc/self/fd").catch(() => []);
  const targets = descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ""));
  return (await Promise.all(targets)).filter((target) => /^\/(?!dev\/|proc\/)/.test(target)).length;
}
