/** The drivers and storages of unstorage, described by what is used of them: nobody needs unstorage to compile. */

/** A value that is no bytes, as unstorage has it. */
export type StoredValue = null | string | number | boolean | object;

/**
 * What a manager can keep images in: a {@link StoreDriver}, or any driver or storage of unstorage 1 or 2. A manager reads and writes bytes. If
 * the store has no raw methods, the manager writes the bytes as base64.
 */
export interface KeyValueStore {
  /** Whether the key has a value. */
  hasItem(key: string, options?: object): boolean | Promise<boolean>;
  /** Reads a value. `null` if there is none. */
  getItem(key: string, options?: object): StoredValue | Promise<StoredValue>;
  /** Reads a value as bytes. `null` if there is none. */
  getItemRaw?(key: string, options: object): unknown;
  /** Writes a text. */
  setItem?(key: string, value: string, options: object): void | Promise<void>;
  /** Writes bytes. */
  setItemRaw?(key: string, value: unknown, options: object): void | Promise<void>;
  /** Deletes a value. A missing key is no error. */
  removeItem?(key: string, options: object): void | Promise<void>;
  /** Keys that begin with a text. */
  getKeys(base: string, options: object): string[] | Promise<string[]>;
}
