/**
 * A store in a directory of the local disk: one file a key, written atomically, over `node:fs/promises`.
 *
 * @module balena-image-manager/adapters/fs
 */
import { join, resolve } from "node:path";
import { InvalidArgumentError } from "../../core/errors.ts";
import { eachOf } from "../../core/store/each.ts";
import type { StoreDriver } from "../../core/types.ts";
import { bytesOf, textOf } from "../values.ts";
import { pathOfKey, temporaryDirectoryName } from "./file-name.ts";
import { createLimit } from "./limit.ts";
import { listKeys } from "./list-keys.ts";
import { isFile, readWholeFile } from "./read-file.ts";
import { removeEmptyParents, sweepTemporaryFiles } from "./tidy.ts";
import { createFile, removeFile, replaceFile } from "./write-file.ts";

/** Options of {@link fsAdapter}. */
export interface FsAdapterOptions {
  /**
   * Directory to keep values in, made (for its owner only) with the first write. It may be a link itself, but links below
   * it are not listed. Relative paths count from the working directory at the time of the call.
   */
  base: string;
  /** Flush a value to the disk before it gets its name, so that not even a power cut leaves it torn. Default `false`. */
  fsync?: boolean | undefined;
  /** Files open at once; more calls wait. Default 64; a whole number from 1. */
  maxOpenFiles?: number | undefined;
}

/**
 * Keeps values in files below a directory, which several processes may share. Does nothing on the disk until it is used.
 *
 * Errors of the disk reject as Node made them, with their `code`. `createIfAbsent` needs hard links and is `unsupported`
 * on a disk without.
 *
 * @throws `INVALID_ARGUMENT` when an option is of the wrong type or out of its range.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
 * import { fsAdapter } from "balena-image-manager/adapters/fs";
 *
 * const images = createImageManager({ source: balenaSdkSource(), storage: fsAdapter({ base: "./images" }) });
 * await images.prefetch("raspberrypi4-64", "recommended");
 * ```
 */
export function fsAdapter(options: FsAdapterOptions): StoreDriver {
  const { base, fsync, maxOpenFiles } = checked(options);
  const temporaryDirectory = join(base, temporaryDirectoryName);
  const writing = { temporaryDirectory, fsync };
  const limit = createLimit(maxOpenFiles);
  const pathOf = (key: string) => join(base, pathOfKey(key));
  let sweep: Promise<void> | undefined;

  async function read(key: string): Promise<Uint8Array | null> {
    const path = pathOf(key);
    return limit(() => readWholeFile(path));
  }

  async function write<T>(key: string, value: unknown, writer: Writer<T>): Promise<T> {
    const path = pathOf(key);
    const bytes = bytesOf(value);
    sweep ??= sweepTemporaryFiles(temporaryDirectory);
    return limit(() => writer(path, bytes, writing));
  }

  async function remove(key: string): Promise<void> {
    const path = pathOf(key);
    if (await removeFile(path)) await removeEmptyParents(path, base, temporaryDirectory);
  }

  return {
    name: "fs",
    options,
    capabilities: { completeListing: true },
    hasItem: async (key) => isFile(pathOf(key)),
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    setItem: (key, text) => write(key, text, replaceFile),
    setItemRaw: (key, value) => write(key, value, replaceFile),
    removeItem: remove,
    // Every key that begins with the text given; unstorage may leave it out.
    getKeys: (prefix) => listKeys(base, prefix ?? "", limit),
    clear: async (level) => {
      const keys = await listKeys(base, prefixOf(level ?? ""), limit);
      await eachOf(keys, (key) => limit(() => remove(key)), maxOpenFiles);
    },
    dispose: async () => sweep,
    createIfAbsent: (key, bytes) => write(key, bytes, createFile),
  };
}

type Writer<T> = (path: string, bytes: Uint8Array, writing: Parameters<typeof replaceFile>[2]) => Promise<T>;

function checked({ base, fsync = false, maxOpenFiles = 64 }: FsAdapterOptions) {
  if (typeof base !== "string" || base === "" || base.includes("\0")) {
    throw new InvalidArgumentError("base must be the path of a directory");
  }
  if (typeof fsync !== "boolean") throw new InvalidArgumentError("fsync must be true or false");
  if (!Number.isSafeInteger(maxOpenFiles) || maxOpenFiles < 1) {
    throw new InvalidArgumentError(`maxOpenFiles must be a whole number from 1, not ${maxOpenFiles}`);
  }
  return { base: resolve(base), fsync, maxOpenFiles };
}

/** `p` clears `p:…` and spares a stranger named `p2`. */
function prefixOf(level: string): string {
  return level === "" || level.endsWith(":") ? level : `${level}:`;
}
