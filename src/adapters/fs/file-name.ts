/** Turns keys into file names and back, so that no key harms the disk, escapes the base or meets another key. */
import { sep } from "node:path";
import { InvalidArgumentError } from "../../core/errors.ts";

/** Holds files being written. It begins with a dot, which an escaped level never does. */
export const temporaryDirectoryName = ".tmp";

// Files have it and directories have it not, so that the keys `a` and `a:b` can both exist.
const suffix = ".bin";

// Every common file system's limit. Names are ASCII, so bytes are characters.
const maxNameBytes = 255;

const escaped = new RegExp(
  [
    // Not safe on some disk: case may fold, accents may be normalised, and Windows forbids <>:"|?* and controls.
    "[^a-z0-9._~-]",
    // A dot in front: `.`, `..`, hidden files, the temporary directory. One at the end: Windows drops it.
    "^\\.",
    "\\.$",
    "\\.(?=bin$)",
    // Windows devices, with or without an extension.
    "^.(?<=^(?=(?:con|prn|aux|nul|com\\d|lpt\\d)(?:\\.|$)).)",
    // Looks like an 8.3 short name: on Windows `balena~1` opens `balena-images`.
    "(?<=^[^.]{1,6})~(?=\\d+(?:\\.[^.]{0,3})?$)",
  ].join("|"),
  "gu",
);

/**
 * The path, relative to the base, of the file that holds a key's value.
 *
 * @throws `ENAMETOOLONG` when a level makes a longer name than disks take; `INVALID_ARGUMENT` when it is empty or has
 * half a character.
 */
export function pathOfKey(key: string): string {
  return [...directoriesOf(key), checkedName(lastLevelOf(key), suffix)].join(sep);
}

/** Names of the directories that the complete levels of a key (or of a prefix of keys) stand for. */
export function directoriesOf(prefix: string): string[] {
  return prefix
    .split(":")
    .slice(0, -1)
    .map((level) => checkedName(level, ""));
}

/** The level of a directory's name; `undefined` if we did not make the name. */
export function levelOfDirectory(name: string): string | undefined {
  const level = unescapeLevel(name);
  // Only the one name that the level itself would get, and a level has no colon.
  return level && !level.includes(":") && escapeLevel(level) === name ? level : undefined;
}

/** The last level of the key of a file; `undefined` if we did not make the name. */
export function levelOfFile(name: string): string | undefined {
  return name.endsWith(suffix) ? levelOfDirectory(name.slice(0, -suffix.length)) : undefined;
}

function lastLevelOf(key: string): string {
  return key.slice(key.lastIndexOf(":") + 1);
}

function checkedName(level: string, ending: string): string {
  // Half a surrogate pair has no bytes in UTF-8: two such keys would share a file.
  if (level === "" || !level.isWellFormed()) {
    throw new InvalidArgumentError(
      `A level of a key must not be empty or malformed: ${JSON.stringify(level)}`,
    );
  }
  const name = escapeLevel(level) + ending;
  if (name.length > maxNameBytes) throw nameTooLong(level, name);
  return name;
}

function nameTooLong(level: string, name: string): Error {
  const message = `A level of the key makes a file name of ${name.length} bytes, more than ${maxNameBytes}`;
  return Object.assign(new Error(`${message}: ${level.slice(0, 40)}…`), { code: "ENAMETOOLONG" });
}

function escapeLevel(level: string): string {
  return level.replace(escaped, escapeCharacter);
}

function escapeCharacter(character: string): string {
  const bytes = new TextEncoder().encode(character);
  return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

function unescapeLevel(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}
