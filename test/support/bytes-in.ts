// What a directory takes: for the demo and the benchmarks, which tell what a store holds.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of all files below it. */
export async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const stats = await Promise.all(files.map((file) => stat(join(file.parentPath, file.name))));
  return stats.reduce((sum, { size }) => sum + size, 0);
}
