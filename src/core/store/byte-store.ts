/** Reads and writes bytes with any unstorage driver or storage. It has one prefix, one kind of error, and a time limit for every call. */
import type { Driver, Storage } from "unstorage";
import { InvalidArgumentError, isImageManagerError, StoreError } from "../errors.ts";
import { foreignError, foreignMessage } from "../foreign-error.ts";
import type { CreateResult, StoreCapabilities, StoreDriver, StoreReadOptions } from "../types.ts";
import { withinTime } from "../waiting.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { folders, maxBytesUnder, probeKey } from "./keys.ts";
import { createPace, type PacedCall } from "./pace.ts";
import { createRecess, type StoreOperation } from "./recess.ts";

/** The store as the core sees it. Keys are relative to the prefix. Failures are `STORE` errors. */
export interface ByteStore {
  readonly maxValueBytes: number;
  readonly completeListing: boolean;
  /** It states its capabilities, and with them that it keeps what it takes. */
  readonly isAdapter: boolean;
  /** Leases need both a listing to rely on and `createIfAbsent`. */
  readonly canLease: boolean;
  /**
   * Reads a value into a buffer that belongs to the caller. `undefined` if there is no value, if it is not bytes, or if it has more than
   * `maxBytes` (default: the limit of the key's kind). `signal` aborts when the value is no longer wanted.
   */
  read(key: string, maxBytes?: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The bytes must not change until it settles. */
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(key: string): Promise<void>;
  /** Deletes the value in the background. Nobody waits, and a failure is not reported. */
  removeSometime(key: string): void;
  /** Keys below a folder (which ends in `:`), as far as the store lists them. */
  list(folder: string): Promise<string[]>;
  createIfAbsent(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<CreateResult>;
  /** Whether one more read of so many bytes would come soon, after those that are under way. */
  hasRoomToRead(bytes: number): boolean;
  /** The same store, asked in another manner. */
  asked(manner: Manner): ByteStore;
  /** Whether the store hangs at present. In the manner `unless-hung` it is then not read. */
  readonly isLeftAlone: boolean;
}

/**
 * How long a call may take, and whether it is made at all.
 *
 * - `patiently`: for calls that can't succeed without the store
 * - `briefly`: for calls that a get waits for
 * - `unless-hung`: the same, but a store that hangs is not called for a while
 */
export type Manner = "patiently" | "briefly" | "unless-hung";

/** Times, and whom to tell. */
export interface ByteStoreOptions {
  /** For calls made patiently. */
  readonly timeoutMs?: number | undefined;
  /** For the others. */
  readonly storeTimeoutMs?: number | undefined;
  onBack?(operation: StoreOperation): void;
}

/** How long a call that can't succeed without the store may take. It is generous: a listing may be long, and a disk busy. */
const patienceMs = 60_000;
/** What a get waits for. */
export const defaultStoreTimeoutMs = 5_000;
/** Values from this size on are timed by their size and progress: the others are small, and are timed as a whole. */
const largeBytes = 64 * 1024;

/** Puts a {@link ByteStore} on an unstorage driver or storage. It is asked patiently. */
export function createByteStore(
  storage: Driver | Storage,
  prefix: string,
  options: ByteStoreOptions = {},
): ByteStore {
  assertStorage(storage);
  const capabilities = (storage as Partial<StoreDriver>).capabilities;
  // unstorage's own memory and lru-cache drivers do not copy: they keep the given buffer and return the buffer that they keep.
  const own = capabilities
    ? (bytes: Uint8Array<ArrayBuffer>) => bytes
    : (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(bytes); // `slice` of a Node `Buffer` shares its memory
  const raw = rawAccess(storage as Driver);
  const fullKey = (key: string) => `${prefix}:${key}`;
  const {
    timeoutMs = patienceMs,
    storeTimeoutMs = defaultStoreTimeoutMs,
    onBack = () => undefined,
  } = options;
  const pace = createPace(capabilities?.tellsProgress ?? false);

  const calls = {
    read: async (key: string, options: StoreReadOptions & { readonly maxBytes: number }) => {
      const bytes = asBytes(await raw.read(fullKey(key), options));
      // A driver without a limit has already read the whole value, but at least it is not used.
      return bytes && bytes.length <= options.maxBytes ? own(bytes) : undefined;
    },
    write: async (key: string, bytes: Uint8Array<ArrayBuffer>) =>
      assertDone(await raw.write(fullKey(key), own(bytes))),
    remove: async (key: string) => assertDone(await (storage as Driver).removeItem?.(fullKey(key), {})),
    list: async (folder: string) =>
      ownKeys(await (storage as Driver).getKeys(fullKey(folder), {}), fullKey(folder), prefix),
    create: async (key: string, bytes: Uint8Array<ArrayBuffer>): Promise<CreateResult> =>
      (await (storage as StoreDriver).createIfAbsent?.(fullKey(key), bytes)) ?? "unsupported",
  };

  const probe = async (operation: StoreOperation) => {
    if (operation === "read") return calls.read(probeKey, { maxBytes: 1 });
    if (operation === "remove") return calls.remove(probeKey);
    if (operation === "list") return calls.list(probeKey);
    await (operation === "write" ? calls.write : calls.create)(probeKey, new Uint8Array(1));
    return calls.remove(probeKey);
  };
  const recess = createRecess({ timeoutMs: storeTimeoutMs, probe, onBack });

  const asked = (manner: Manner): ByteStore => {
    const limitMs = manner === "patiently" ? timeoutMs : storeTimeoutMs;
    const guarded = async <T>(
      operation: StoreOperation,
      call: (paced: PacedCall) => Promise<T>,
      bytes = 0,
      unwanted?: AbortSignal,
    ): Promise<T> => {
      if (manner === "unless-hung") recess.assertNone(operation);
      const startedMs = performance.now();
      const tookMs = () => performance.now() - startedMs;
      const paced = pace.start(bytes);
      let isLate = false;
      const onLate = () => {
        isLate = true;
        // Of several chunks one may have a dead connection of its own.
        if (bytes === 0 || paced.isAllSilent(limitMs)) recess.begin(operation);
        return new StoreError(`The store did not finish a ${operation} within ${Math.round(tookMs())} ms`);
      };
      try {
        return await withinTime(
          () => call(paced),
          () => paced.leftMs(limitMs),
          onLate,
        );
      } catch (cause) {
        if (isImageManagerError(cause)) throw cause;
        const message = `The store failed to ${operation}: ${foreignMessage(cause)}`;
        throw new StoreError(message, { cause: foreignError(cause) });
      } finally {
        // Even a fault is an answer.
        const isAnswered = !isLate && !unwanted?.aborted;
        if (isAnswered) paced.progressed();
        paced.end(0);
        if (isAnswered && (bytes > 0 || tookMs() <= storeTimeoutMs)) recess.answered(operation, startedMs);
      }
    };

    return {
      ...limitsOf(capabilities),
      isAdapter: capabilities !== undefined,
      canLease: capabilities?.completeListing === true && "createIfAbsent" in storage,
      hasRoomToRead: pace.hasRoomFor,
      asked,
      get isLeftAlone() {
        return recess.isOn;
      },
      async read(key, maxBytes = maxBytesUnder(key), signal = undefined) {
        const isChunk = key.startsWith(folders.chunks);
        const stop = new AbortController();
        signal?.addEventListener("abort", () => stop.abort(), { once: true });
        const call = async ({ progressed, end }: PacedCall) => {
          const watch = { maxBytes, onProgress: progressed, signal: stop.signal };
          const bytes = await calls.read(key, watch);
          if (isChunk) end(bytes?.length ?? 0);
          return bytes;
        };
        try {
          return await guarded("read", call, isChunk ? maxBytes : 0, stop.signal);
        } finally {
          stop.abort(); // nobody waits for it any more
        }
      },
      write(key, bytes) {
        const isLarge = bytes.length >= largeBytes;
        const call = async ({ end }: PacedCall) => {
          await calls.write(key, bytes);
          if (isLarge) end(bytes.length);
        };
        return guarded("write", call, isLarge ? bytes.length : 0);
      },
      remove: (key) => guarded("remove", () => calls.remove(key)),
      removeSometime: (key) => void calls.remove(key).catch(() => undefined),
      list: (folder) => guarded("list", () => calls.list(folder)),
      createIfAbsent: (key, bytes) => guarded("create", () => calls.create(key, bytes)),
    };
  };
  return asked("patiently");
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

/** Only bytes are a value. Some drivers return an Error or a string instead of throwing. */
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
