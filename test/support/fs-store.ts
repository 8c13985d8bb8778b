/** Stores in temporary directories, for the tests of the fs store. */
import { readdir } from "node:fs/promises";
import { fsAdapter } from "../../src/adapters/fs/index.ts";

export { newDirectory as newBase } from "./temporary.ts";

/** A small value. */
export const bytes = new Uint8Array([1, 2, 3]);

/** The adapter with the methods that a driver may leave out. */
export function adapterAt(base: string, options: { fsync?: boolean; maxOpenFiles?: number } = {}) {
  const driver = fsAdapter({ base, ...options });
  return {
    read: async (key: string) => driver.getItemRaw?.(key, {}),
    write: async (key: string, value: Uint8Array = bytes) => driver.setItemRaw?.(key, value, {}),
    create: async (key: string) => driver.createIfAbsent?.(key, bytes),
    remove: async (key: string) => driver.removeItem?.(key, {}),
    has: async (key: string) => driver.hasItem(key, {}),
    keys: async (prefix = "") => [...(await driver.getKeys(prefix, {}))].sort(),
    clear: async (level: string) => driver.clear?.(level, {}),
    settle: async () => driver.dispose?.(),
  };
}

/** All below a directory, relative to it. */
export const treeOf = async (base: string) => (await readdir(base, { recursive: true })).sort();
