// Files that are there before an example runs, longer than what it writes: none of their bytes may be left behind its own.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Example } from "./examples.ts";

/** Longer than any image of these tests. */
const oldFile = Buffer.alloc(3 * 1024 * 1024, "what was here before ");

/** Puts one under each name of an image file in the example. */
export async function placeLongerFiles({ code }: Example, directory: string): Promise<void> {
  for (const name of imageNames(code)) await writeFile(join(directory, name), oldFile);
}

/** Says which file was written over without being cut; empty where none was. */
export async function leftOver({ code }: Example, directory: string): Promise<string> {
  for (const name of imageNames(code)) {
    const now = await readFile(join(directory, name)).catch(() => oldFile); // an example may delete it
    const isTouched = !now.equals(oldFile);
    if (isTouched && now.subarray(-1000).equals(oldFile.subarray(-1000)))
      return `${name} still ends as the longer file that was there before`;
  }
  return "";
}

function imageNames(code: string): string[] {
  return [...code.matchAll(/"([\w.-]+\.img)"/g)].map(([, name]) => name!);
}
