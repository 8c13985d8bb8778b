/** Calls an unstorage driver or storage, under one prefix if it is given one. Drivers differ in what they take and return; here they are all alike. */
import { InvalidArgumentError } from "../errors.ts";
import type { CreateResult, FailedKey, KeyValueStore, StoreDriver, StoreReadOptions } from "../types.ts";
import { fromBase64, toBase64 } from "./base64.ts";

/** Calls without a time limit. They reject with what the driver throws or returns as an error. */
export interface DriverCalls {
  read(
    key: string,
    options: StoreReadOptions & { readonly maxBytes: number },
  ): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The same from another place, if the store has one. */
  readAgain(
    key: string,
    options: StoreReadOptions & { readonly maxBytes: number },
  ): Promise<Uint8Array<ArrayBuffer> | undefined>;
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  has(key: string): Promise<boolean>;
  remove(key: string): Promise<void>;
  /** Deletes many at once, and tells which it failed at. Absent where the driver can't. */
  readonly removeMany?: ((keys: readonly string[]) => Promise<readonly FailedKey[]>) | undefined;
  list(folder: string): Promise<string[]>;
  create(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<CreateResult>;
}

/**
 * `name`: the option that the store was given as. `isReadOnly`: it need not write.
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` if it is no driver or storage, or one that is read-only
 */
export function createDriverCalls(
  storage: KeyValueStore,
  prefix: string | undefined,
  { name = "storage", isReadOnly = false }: { name?: string; isReadOnly?: boolean } = {},
): DriverCalls {
  assertStorage(storage, name, isReadOnly);
  // unstorage's own memory and lru-cache drivers do not copy: they keep the given buffer and return the buffer that they keep.
  const own = (storage as Partial<StoreDriver>).capabilities
    ? (bytes: Uint8Array<ArrayBuffer>) => bytes
    : (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(bytes); // `slice` of a Node `Buffer` shares its memory
  const raw = rawAccess(storage);
  const before = prefix === undefined ? "" : `${prefix}:`;
  const fullKey = (key: string) => before + key;
  const shortKey = (key: string) => key.slice(before.length);
  const { removeItems } = adapterOf(storage);
  const within = (value: unknown, { maxBytes }: { readonly maxBytes: number }) => {
    const bytes = asBytes(value);
    // A driver without a limit has already read the whole value, but at least it is not used.
    return bytes && bytes.length <= maxBytes ? own(bytes) : undefined;
  };
  return {
    read: async (key, options) => within(await raw.read(fullKey(key), options), options),
    readAgain: async (key, options) =>
      within(await (storage as StoreDriver).readAgain?.(fullKey(key), options), options),
    write: async (key: string, bytes: Uint8Array<ArrayBuffer>) =>
      assertDone(await raw.write(fullKey(key), own(bytes))),
    has: async (key: string) => (await storage.hasItem(fullKey(key), {})) === true,
    remove: async (key: string) => assertDone(await storage.removeItem?.(fullKey(key), {})),
    removeMany:
      removeItems &&
      (async (keys) => {
        const failed = await removeItems.call(storage, keys.map(fullKey));
        return failed.map(({ key, cause }) => ({ key: shortKey(key), cause }));
      }),
    list: async (folder: string) =>
      ownKeys(await storage.getKeys(fullKey(folder), {}), fullKey(folder), before),
    create: async (key: string, bytes: Uint8Array<ArrayBuffer>): Promise<CreateResult> =>
      (await (storage as StoreDriver).createIfAbsent?.(fullKey(key), bytes)) ?? "unsupported",
  };
}

/** Methods of ours that are no driver's of unstorage: of those, nothing is known but their names. */
function adapterOf(storage: KeyValueStore): Pick<StoreDriver, "removeItems"> {
  const driver = storage as StoreDriver;
  return driver.capabilities && typeof driver.removeItems === "function" ? driver : {};
}

function assertStorage(
  storage: unknown,
  name: string,
  isReadOnly: boolean,
): asserts storage is KeyValueStore {
  const value = (typeof storage === "object" && storage !== null ? storage : {}) as Record<string, unknown>;
  const has = (...names: string[]) => names.some((name) => typeof value[name] === "function");
  if (has("getItem", "getItemRaw") && has("getKeys") && has("hasItem")) {
    if (isReadOnly || (has("setItem", "setItemRaw") && has("removeItem"))) return;
    throw new InvalidArgumentError(`"${name}" is read-only: it has no setItem or no removeItem`);
  }
  throw new InvalidArgumentError(
    `"${name}" must be an unstorage driver or storage, for example memoryAdapter()`,
  );
}

interface RawAccess {
  read(key: string, options: StoreReadOptions): unknown;
  write(key: string, bytes: Uint8Array<ArrayBuffer>): unknown;
}

/** A driver without raw methods keeps strings; bytes go in as base64, in the form that unstorage itself uses. */
function rawAccess(driver: KeyValueStore): RawAccess {
  const { getItemRaw, setItemRaw } = driver;
  if (getItemRaw && (setItemRaw || !driver.setItem)) {
    return {
      read: (key, options) => getItemRaw.call(driver, key, options),
      write: (key, bytes) => setItemRaw?.call(driver, key, bytes, {}),
    };
  }
  return {
    read: async (key) => fromBase64(await driver.getItem(key, {})),
    write: (key, bytes) => driver.setItem?.(key, toBase64(bytes), {}),
  };
}

/** Some drivers return the error that they should throw. */
function assertDone(result: unknown): void {
  if (result instanceof Error) throw result;
}

/** Only bytes are a value. Some drivers return an Error or a string instead of throwing. */
function asBytes(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Uint8Array) return value as Uint8Array<ArrayBuffer>;
  return undefined;
}

/** Drivers list more than they were asked for, and some return things that are no keys. */
function ownKeys(keys: unknown, folder: string, before: string): string[] {
  if (!Array.isArray(keys)) return [];
  return keys
    .filter((key): key is string => typeof key === "string")
    .map((key) => key.replace(/[/\\]/g, ":")) // unstorage's fs drivers list paths; no key of ours has a slash
    .filter((key) => key.startsWith(folder))
    .map((key) => key.slice(before.length));
}
