/** Checks the files and options of `bootFiles`. */
import { InvalidArgumentError } from "../../core/errors.ts";

/**
 * Content of a file: bytes, a text (written as UTF-8), or an object. An object needs a name that ends in `.json`. It is merged into the
 * image's file key by key: keys that the object does not have stay unchanged.
 */
export type BootFile = Uint8Array | string | Readonly<Record<string, unknown>>;

/** Options of {@link bootFiles}. */
export interface BootFilesOptions {
  /**
   * Number of the boot partition, counted as Linux does: logical partitions start at 5. Default: the FAT partition that has a `config.json`,
   * or the name of balenaOS's boot partition.
   */
  partition?: number | undefined;
}

/** A file that passed the check. */
export interface CheckedFile {
  readonly path: readonly string[];
  readonly content: Uint8Array | Readonly<Record<string, unknown>>;
}

/** No device needs more. The limits keep an edit small and fast. */
const maxFiles = 1_000;
const maxTotalBytes = 64 * 1024 * 1024;
const maxNameLength = 255;
const maxDepth = 16;
const forbidden = /[\p{Cc}"*:<>?\\|]/u;

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the file, never its content. */
export function checkedFiles(files: unknown): readonly CheckedFile[] {
  if (typeof files !== "object" || files === null || Array.isArray(files))
    throw new InvalidArgumentError('"files" must be an object of paths and contents');
  const entries = Object.entries(files);
  if (entries.length > maxFiles)
    throw new InvalidArgumentError(`"files" must have at most ${maxFiles} entries, not ${entries.length}`);
  const checked = entries.map(([path, content]) => ({
    path: checkedPath(path),
    content: checkedContent(path, content),
  }));
  assertDistinct(checked);
  const bytes = checked.reduce(
    (sum, { content }) => sum + (content instanceof Uint8Array ? content.length : 0),
    0,
  );
  if (bytes > maxTotalBytes)
    throw new InvalidArgumentError(`"files" must have at most ${maxTotalBytes} bytes in all, not ${bytes}`);
  return checked;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option. */
export function checkedOptions(options: unknown): BootFilesOptions {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options of bootFiles must be an object");
  const { partition } = options as BootFilesOptions;
  if (partition === undefined || (Number.isSafeInteger(partition) && partition > 0)) return { partition };
  throw new InvalidArgumentError('"partition" must be a whole number from 1');
}

/** The names in a path. */
export function checkedPath(path: string): readonly string[] {
  const names = path.replace(/^\//, "").split("/");
  const isName = (name: string) =>
    name !== "" &&
    name.length <= maxNameLength &&
    name.isWellFormed() &&
    !forbidden.test(name) &&
    // FAT drops dots and spaces at the end of a name, so two names could mean one file. This also refuses `.` and `..`.
    !/[. ]$/.test(name);
  if (names.length <= maxDepth && names.every(isName)) return names;
  throw new InvalidArgumentError(
    `${JSON.stringify(path.slice(0, 100))} is not a path of a file: names of 1 to ${maxNameLength} characters, separated by "/", without control characters, " * : < > ? \\ | and without a dot or space at the end`,
  );
}

function checkedContent(path: string, content: unknown): CheckedFile["content"] {
  if (typeof content === "string") return new TextEncoder().encode(content);
  if (content instanceof Uint8Array) return content;
  if (
    typeof content !== "object" ||
    content === null ||
    Array.isArray(content) ||
    ArrayBuffer.isView(content)
  )
    throw new InvalidArgumentError(`The file "${path}" must be a string, a Uint8Array or an object`);
  if (!path.toLowerCase().endsWith(".json"))
    throw new InvalidArgumentError(
      `The file "${path}" must be a string or a Uint8Array: only .json files accept an object`,
    );
  return content as Readonly<Record<string, unknown>>;
}

/** FAT treats capital and small letters as the same. */
function assertDistinct(files: readonly CheckedFile[]): void {
  const seen = new Set<string>();
  for (const { path } of files) {
    const key = path.join("/").toUpperCase();
    if (seen.has(key)) throw new InvalidArgumentError(`"files" names "${path.join("/")}" twice`);
    seen.add(key);
  }
}
