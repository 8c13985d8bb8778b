/** Removes empty directories after a delete, and temporary files that a crash has left. */
import { dirname, join } from "node:path";
import { wallMs } from "../../core/clock.ts";
import { lstat, readdir, rmdir, unlink } from "./disk.ts";
import { isTemporaryName, type WriteOptions } from "./write.ts";

// Far beyond any write that is still going on; should one be so slow, it notices and writes again.
const abandonedAfterMs = 60 * 60 * 1000;

/**
 * Removes a directory and those between it and the base, as far as they are empty, and at last the temporary one.
 * `rmdir` itself refuses one with content, and a link; a writer whose new directory it takes makes it again.
 */
export async function removeEmptyDirectories(
  from: string,
  base: string,
  temporaryDirectory: string,
): Promise<void> {
  try {
    for (let directory = from; directory !== base; directory = dirname(directory)) await rmdir(directory);
    await rmdir(temporaryDirectory);
  } catch {
    // Not empty, or already gone: either way there is nothing to do above it.
  }
}

/** Deletes temporary files that were abandoned. Never rejects: it is housekeeping, and the next one may succeed. */
export async function sweepTemporaryFiles({
  temporaryDirectory,
  assertNoLink,
}: Pick<WriteOptions, "temporaryDirectory" | "assertNoLink">): Promise<void> {
  const entries = await assertNoLink(temporaryDirectory)
    .then(() => readdir(temporaryDirectory, { withFileTypes: true }))
    .catch(() => []);
  for (const { name } of entries) {
    if (isTemporaryName(name)) await sweepFile(join(temporaryDirectory, name)).catch(() => {});
  }
}

async function sweepFile(path: string): Promise<void> {
  const stats = await lstat(path);
  if (stats.isFile() && wallMs() - stats.mtimeMs > abandonedAfterMs) await unlink(path);
}
