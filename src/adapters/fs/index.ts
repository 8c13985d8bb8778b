/**
 * A store in a directory of the local disk. Each key is a file, which is written atomically. It uses `node:fs/promises`.
 *
 * @module balena-image-manager/adapters/fs
 */
import { dirname, join } from "node:path";
import { eachOf } from "../../core/each.ts";
import type { FailedKey, StoreDriver, StoreReadOptions } from "../../core/types.ts";
import { bytesOf, failedKeys, prefixOfLevel, textOf } from "../store-values.ts";
import { pathOfKey, temporaryDirectoryName } from "./file-name.ts";
import { createLimit } from "./limit.ts";
import { createLinkGuard } from "./links.ts";
import { listKeys } from "./list.ts";
import { checkedOptions, type FsAdapterOptions } from "./options.ts";
import { isFile, isReachedPlainly, readWholeFile } from "./read.ts";
import { removeEmptyDirectories, sweepTemporaryFiles } from "./tidy.ts";
import { createFile, removeFile, replaceFile, type WriteOptions } from "./write.ts";

export type { FsAdapterOptions };

/**
 * Creates a store that keeps values in files below a directory. Several processes may share the directory. The disk is not touched before
 * the first call.
 *
 * If the disk fails, a call rejects with Node's own error and its `code`. `createIfAbsent` needs hard links; without them it answers
 * `unsupported`. Only regular files are values: links, pipes and devices are ignored. A link to a directory below the base is not followed:
 * nothing behind it is read, listed or deleted, and a write there rejects with `ELOOP`.
 *
 * @throws `INVALID_ARGUMENT` if an option has the wrong type or is out of range.
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
  const { base, fsync, mode, maxOpenFiles } = checkedOptions(options);
  const temporaryDirectory = join(base, temporaryDirectoryName);
  const assertNoLink = createLinkGuard(base);
  const writing = { temporaryDirectory, fsync, mode, assertNoLink };
  const limit = createLimit(maxOpenFiles);
  const keyOf = (key: string) => join(base, pathOfKey(key));
  let sweep: Promise<void> | undefined;

  async function read(key: string, options: StoreReadOptions = {}): Promise<Uint8Array | null> {
    const path = keyOf(key);
    return limit(() => readWholeFile(path, assertNoLink, options));
  }

  async function write<T>(key: string, value: unknown, writer: Writer<T>): Promise<T> {
    const path = keyOf(key);
    const bytes = bytesOf(value);
    sweep ??= sweepTemporaryFiles(writing);
    return limit(() => writer(path, bytes, writing));
  }

  /** Deletes a value's file, and gives its directory if it was there. */
  async function unlink(key: string): Promise<string | undefined> {
    const path = keyOf(key);
    const directory = dirname(path);
    // A link in place of the file itself may be deleted: that deletes nothing behind it.
    if (!(await isReachedPlainly(directory, assertNoLink))) return undefined;
    return (await removeFile(path)) ? directory : undefined;
  }

  const tidy = (directory: string) => removeEmptyDirectories(directory, base, temporaryDirectory);

  async function remove(key: string): Promise<void> {
    const directory = await unlink(key);
    if (directory !== undefined) await tidy(directory);
  }

  /** Each directory is tidied once: most deletions leave it full. */
  async function removeAll(keys: readonly string[]): Promise<FailedKey[]> {
    const directories = new Set<string>();
    const removeOne = async (key: string) => {
      const directory = await limit(() => unlink(key));
      if (directory !== undefined) directories.add(directory);
    };
    const failed = await failedKeys(keys, removeOne, maxOpenFiles);
    await eachOf([...directories], tidy);
    return failed;
  }

  const list = (prefix: string) => listKeys(base, prefix, limit);

  return {
    name: "fs",
    options,
    capabilities: { completeListing: true },
    hasItem: async (key) => isFile(keyOf(key), assertNoLink),
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    setItem: (key, text) => write(key, text, replaceFile),
    setItemRaw: (key, value) => write(key, value, replaceFile),
    removeItem: remove,
    // Every key that begins with the given text. unstorage may leave it out.
    getKeys: (prefix) => list(prefix ?? ""),
    clear: async (level) => {
      const [failed] = await removeAll(await list(prefixOfLevel(level ?? "")));
      if (failed) throw failed.cause;
    },
    dispose: async () => sweep,
    createIfAbsent: (key, bytes) => write(key, bytes, createFile),
    removeItems: removeAll,
  };
}

type Writer<T> = (path: string, bytes: Uint8Array, writing: WriteOptions) => Promise<T>;
