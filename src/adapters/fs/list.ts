/** Lists the keys under a prefix by walking only the directories that can hold them. */
import { join } from "node:path";
import { bounds } from "../../core/bounds.ts";
import { type DirectoryEntry, lstat, readdir } from "./disk.ts";
import { failureWith, valueOn } from "./failure.ts";
import { directoriesOf, levelOfDirectory, levelOfFile } from "./file-name.ts";
import type { Limit } from "./limit.ts";

/** Every key that begins with the prefix, in no particular order. Links and files of strangers are passed over. */
export async function listKeys(base: string, prefix: string, limit: Limit): Promise<string[]> {
  const keys: string[] = [];
  const start = await enterDirectories(base, directoriesOf(prefix));
  if (start !== undefined) await walk(start, prefix.slice(0, prefix.lastIndexOf(":") + 1));
  return keys;

  async function walk(directory: string, parent: string): Promise<void> {
    const entries = await limit(() => entriesOf(directory));
    for (const key of keysIn(entries, parent)) if (key.startsWith(prefix)) keys.push(key);
    if (keys.length > bounds.listedKeys) throw failureWith("EFBIG", `more than ${bounds.listedKeys} keys`);
    const levels = levelsIn(entries, parent).filter(({ key }) => key.startsWith(prefix));
    await Promise.all(levels.map(({ name, key }) => walk(join(directory, name), key)));
  }
}

/** The directory at the end of a path, unless one on the way is missing, a link or no directory at all. */
async function enterDirectories(base: string, names: string[]): Promise<string | undefined> {
  let directory = base;
  for (const name of names) {
    directory = join(directory, name);
    const stats = await lstat(directory).catch(valueOn(null, "ENOENT"));
    if (!stats?.isDirectory()) return undefined;
  }
  return directory;
}

/** A directory that someone just removed is an empty one. */
function entriesOf(directory: string): Promise<DirectoryEntry[]> {
  return readdir(directory, { withFileTypes: true }).catch(valueOn<DirectoryEntry[]>([], "ENOENT"));
}

function keysIn(entries: DirectoryEntry[], parent: string): string[] {
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => levelOfFile(entry.name))
    .filter((level) => level !== undefined)
    .map((level) => parent + level);
}

function levelsIn(entries: DirectoryEntry[], parent: string): { name: string; key: string }[] {
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, level: levelOfDirectory(name) }))
    .filter(({ level }) => level !== undefined)
    .map(({ name, level }) => ({ name, key: `${parent}${level}:` }));
}
