// Where tests of `saveImage` save to, and what a save that broke off has left there.
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { nobody } from "../../src/adapters/node/save/owner.ts";
import { type LeftProgress, writeProgress } from "../../src/adapters/node/save/progress-record.ts";
import { checkedTarget } from "../../src/adapters/node/save/target.ts";
import { contentOf, temporaryPath } from "../../src/adapters/node/save/temporary-name.ts";

/** A directory for a test file, which goes at its end, and in it one target for each test. */
export async function saveTargets() {
  const root = await mkdtemp(join(tmpdir(), "save-image-"));
  afterAll(() => rm(root, { recursive: true, force: true }));
  const next = async () => {
    const directory = await mkdtemp(join(root, "target-"));
    return { directory, path: join(directory, "balena.img") };
  };
  return { root, next };
}

/** The name of a draft of an image, which nobody is writing unless an owner is given. */
export async function draftPath(path: string, etag: string, owner: string = nobody): Promise<string> {
  return temporaryPath(await checkedTarget(path), contentOf(etag), owner as typeof nobody);
}

/** Fills a file as a draft, with the note of how far it came. */
export async function fillDraft(
  draft: string,
  bytes: Uint8Array,
  imageBytes: number,
  progress: LeftProgress,
): Promise<void> {
  const file = await open(draft, "w");
  await file.write(bytes);
  await writeProgress(file, imageBytes, progress);
  await file.close();
}
