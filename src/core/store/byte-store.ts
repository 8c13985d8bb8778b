/** Bytes in and out of any unstorage driver or storage: one prefix, one kind of error, a time limit on every call. */
import type { Driver, Storage } from "unstorage";
import { InvalidArgumentError, isImageManagerError, StoreError } from "../errors.ts";
import { foreignError, foreignMessage } from "../foreign-error.ts";
import type { CreateResult, StoreCapabilities, StoreDriver, StoreReadOptions } from "../types.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { maxBytesUnder } from "./keys.ts";

/** The store as the core sees it. Keys are relative to the prefix; faults are `STORE` errors. */
export interface ByteStore {
  readonly maxValueBytes: number;
  readonly completeListing: boolean;
  /** It states its capabilities, and with them that it keeps what it takes. */
  readonly isAdapter: boolean;
  /** Leases need both a listing to rely on and `createIfAbsent`. */
  readonly canLease: boolean;
  /**
   * The value, in a buffer that is the caller's own; `undefined` where there is none, nothing that could be bytes, or more than
   * `maxBytes`. Default: the bound of the key's kind.
   */
  read(key: string, maxBytes?: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The bytes must not change until it settles. */
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(key: string): Promise<void>;
  /** Keys below a folder (which ends in `:`), as far as the store lists them. */
  list(folder: string): Promise<string[]>;
  createIfAbsent(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<CreateResult>;
}

/** How long one store call may take: generous, since a chunk may be 64 MiB on a slow disk. */
const callTimeoutMs = 60_000;

/** Puts a {@link ByteStore} on an unstorage driver or storage. `timeoutMs` is for tests: nobody waits a minute there. */
export function createByteStore(
  storage: Driver | Storage,
  prefix: string,
  timeoutMs: number = callTimeoutMs,
): ByteStore {
  assertStorage(storage);
  const capabilities = (storage as Partial<StoreDriver>).capabilities;
  // unstorage's own memory and lru-cache drivers keep the very buffer that they are given and hand out the very one they keep.
  const own = capabilities
    ? (bytes: Uint8Array<ArrayBuffer>) => bytes
    : (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(bytes); // `slice` of a Node `Buffer` shares its memory
  const raw = rawAccess(storage as Driver);
  const fullKey = (key: string) => `${prefix}:${key}`;
  const guarded = guardedBy(timeoutMs);

  return {
    ...limitsOf(capabilities),
    isAdapter: capabilities !== undefined,
    canLease: capabilities?.completeListing === true && "createIfAbsent" in storage,
    read: (key, maxBytes = maxBytesUnder(key)) =>
      guarded("read", async () => {
        const bytes = asBytes(await raw.read(fullKey(key), { maxBytes }));
        // Drivers that know no bound have read all of it by now; at least nobody goes on with it.
        return bytes && bytes.length <= maxBytes ? own(bytes) : undefined;
      }),
    write: (key, bytes) =>
      guarded("write", async () => assertDone(await raw.write(fullKey(key), own(bytes)))),
    remove: (key) =>
      guarded("remove", async () => assertDone(await (storage as Driver).removeItem?.(fullKey(key), {}))),
    list: (folder) =>
      guarded("list", async () => {
        const keys = await (storage as Driver).getKeys(fullKey(folder), {});
        return ownKeys(keys, fullKey(folder), prefix);
      }),
    createIfAbsent: (key, bytes) =>
      guarded(
        "create",
        async () => (await (storage as StoreDriver).createIfAbsent?.(fullKey(key), bytes)) ?? "unsupported",
      ),
  };
}

function limitsOf(capabilities: StoreCapabilities | undefined) {
  return {
    maxValueBytes: capabilities?.maxValueBytes ?? Number.POSITIVE_INFINITY,
    completeListing: capabilities?.completeListing ?? false,
  };
}

function assertStorage(storage: unknown): asserts storage is Driver | Storage {
  const value = (typeof storage === "object" && storage !== null ? storage : {}) as Record<string, unknown>;
  const has = (...names: string[]) => names.some((name) => typeof value[name] === "function");
  if (has("getItem", "getItemRaw") && has("getKeys") && has("hasItem")) {
    if (has("setItem", "setItemRaw") && has("removeItem")) return;
    throw new InvalidArgumentError('"storage" is read-only: it has no setItem or no removeItem');
  }
  throw new InvalidArgumentError(
    '"storage" must be an unstorage driver or storage, for example memoryAdapter()',
  );
}

interface RawAccess {
  read(key: string, options: StoreReadOptions): unknown;
  write(key: string, bytes: Uint8Array<ArrayBuffer>): unknown;
}

/** A driver without raw methods keeps strings; bytes go in as base64, in the form that unstorage itself uses. */
function rawAccess(driver: Driver): RawAccess {
  const { getItemRaw, setItemRaw } = driver;
  if (getItemRaw && setItemRaw) {
    return {
      read: (key, options) => getItemRaw.call(driver, key, options),
      write: (key, bytes) => setItemRaw.call(driver, key, bytes, {}),
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

/** Whatever is no bytes (some drivers return an Error or a string where they should throw) is no value. */
function asBytes(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Uint8Array) return value as Uint8Array<ArrayBuffer>;
  return undefined;
}

/** Drivers list more than they were asked for, and some return things that are no keys. */
function ownKeys(keys: unknown, folder: string, prefix: string): string[] {
  if (!Array.isArray(keys)) return [];
  return keys
    .filter((key): key is string => typeof key === "string")
    .map((key) => key.replace(/[/\\]/g, ":")) // unstorage's fs drivers list paths; no key of ours has a slash
    .filter((key) => key.startsWith(folder))
    .map((key) => key.slice(prefix.length + 1));
}

function guardedBy(timeoutMs: number) {
  return async <T>(operation: string, call: () => Promise<T> | T): Promise<T> => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new StoreError(`The store did not finish a ${operation} within ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([call(), timeout]);
    } catch (cause) {
      if (isImageManagerError(cause)) throw cause;
      const message = `The store failed to ${operation}: ${foreignMessage(cause)}`;
      throw new StoreError(message, { cause: foreignError(cause) });
    } finally {
      clearTimeout(timer);
    }
  };
}
