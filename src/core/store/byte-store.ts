/** Reads and writes bytes with any unstorage driver or storage. It has one prefix, one kind of error, and a time limit for every call. */
import { bounds } from "../bounds.ts";
import { monotonicMs } from "../clock.ts";
import { isImageManagerError, StoreError } from "../errors.ts";
import { foreignError, foreignMessage } from "../foreign-error.ts";
import type { CreateResult, KeyValueStore, StoreDriver } from "../types.ts";
import { withinTime } from "../waiting.ts";
import { removeBatches, removeEach } from "./batches.ts";
import { createCircuitBreaker, type StoreOperation } from "./circuit-breaker.ts";
import { createDriverCalls } from "./driver-calls.ts";
import { isImageBytesKey, maxBytesUnder, probeKey } from "./keys.ts";
import { createPace, type PacedCall } from "./pace.ts";

/** The store as the core sees it. Keys are relative to the prefix. Failures are `STORE` errors. */
export interface ByteStore {
  readonly maxValueBytes: number;
  readonly completeListing: boolean;
  /** It states its capabilities, and with them that it keeps what it takes. */
  readonly isAdapter: boolean;
  /** What is committed and evicted is noted: a ledger is found by listing it. */
  readonly hasLedger: boolean;
  /** Leases need both a listing to rely on and `createIfAbsent`. */
  readonly canLease: boolean;
  /**
   * Reads a value into a buffer that belongs to the caller. `undefined` if there is no value, if it is not bytes, or if it has more than
   * `maxBytes` (default: the limit of the key's kind). `signal` aborts when the value is no longer wanted.
   */
  read(key: string, maxBytes?: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The same after the bytes turned out damaged, from another place. `undefined` if the store has no other place. */
  readAgain(
    key: string,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The bytes must not change until it settles. */
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(key: string): Promise<void>;
  /**
   * Deletes many values, in batches if the store takes them. All of a batch are tried, and the first batch that fails ends it: the error
   * names a key.
   */
  removeMany(keys: readonly string[]): Promise<void>;
  /** Deletes the value in the background. Nobody waits, and a failure is not reported. */
  removeSometime(key: string): void;
  /** Whether there is anything under a key. */
  has(key: string): Promise<boolean>;
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

/** Times, and what to call. */
export interface ByteStoreOptions {
  /** For calls made patiently. */
  readonly timeoutMs?: number | undefined;
  /** For the others. */
  readonly storeTimeoutMs?: number | undefined;
  onBack?(operation: StoreOperation, durationMs: number): void;
}

/** How long a call that can't succeed without the store may take. It is generous: a listing may be long, and a disk busy. */
const patienceMs = 60_000;
/** What a get waits for. */
export const defaultStoreTimeoutMs = 5_000;

/** Puts a {@link ByteStore} on an unstorage driver or storage. It is asked patiently. */
export function createByteStore(
  storage: KeyValueStore,
  prefix: string,
  options: ByteStoreOptions = {},
): ByteStore {
  const calls = createDriverCalls(storage, prefix);
  const { capabilities } = storage as Partial<StoreDriver>;
  const {
    timeoutMs = patienceMs,
    storeTimeoutMs = defaultStoreTimeoutMs,
    onBack = () => undefined,
  } = options;
  // Once for all: a part of the store that is away later does not keep processes from sharing.
  const hasLedger = capabilities?.completeListing === true;
  const canLease = hasLedger && "createIfAbsent" in storage;
  const pace = createPace(capabilities?.tellsProgress ?? false);

  const probe = async (operation: StoreOperation) => {
    if (operation === "read") return calls.read(probeKey, { maxBytes: 1 });
    if (operation === "remove") return calls.remove(probeKey);
    if (operation === "list") return calls.list(probeKey);
    await (operation === "write" ? calls.write : calls.create)(probeKey, new Uint8Array(1));
    return calls.remove(probeKey);
  };
  const circuit = createCircuitBreaker({ timeoutMs: storeTimeoutMs, probe, onBack });

  const asked = (manner: Manner): ByteStore => {
    const limitMs = manner === "patiently" ? timeoutMs : storeTimeoutMs;
    const guarded = async <T>(
      operation: StoreOperation,
      call: (paced: PacedCall) => Promise<T>,
      bytes = 0,
      unwanted?: AbortSignal,
    ): Promise<T> => {
      if (manner === "unless-hung") circuit.assertClosed(operation);
      const startedMs = monotonicMs();
      const tookMs = () => monotonicMs() - startedMs;
      const paced = pace.start(bytes);
      let isLate = false;
      const onLate = () => {
        isLate = true;
        // Of several chunks one may have a dead connection of its own.
        if (bytes === 0 || paced.isAllSilent(limitMs)) circuit.trip(operation);
        return new StoreError(`The store did not finish a ${operation} within ${Math.round(tookMs())} ms`);
      };
      try {
        return await withinTime(
          () => call(paced),
          // Asked again soon: what it has to wait for now may be gone by then.
          () => Math.min(limitMs, paced.leftMs(limitMs)),
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
        if (isAnswered && (bytes > 0 || tookMs() <= storeTimeoutMs)) circuit.answered(operation, startedMs);
      }
    };

    const remove = (key: string) => guarded("remove", () => calls.remove(key));

    const readBy = async (
      read: typeof calls.read,
      key: string,
      maxBytes: number,
      signal: AbortSignal | undefined,
    ) => {
      const isLarge = isImageBytesKey(key);
      const stop = new AbortController();
      const leave = () => stop.abort();
      signal?.addEventListener("abort", leave, { once: true });
      const call = async ({ progressed, end }: PacedCall) => {
        const watch = { maxBytes, onProgress: progressed, signal: stop.signal };
        const bytes = await read(key, watch);
        if (bytes && bytes.length >= bounds.pacedValueBytes) end(bytes.length);
        return bytes;
      };
      try {
        return await guarded("read", call, isLarge ? maxBytes : 0, stop.signal);
      } catch (failure) {
        leave(); // it may still be under way, but nobody waits for it any more
        throw failure;
      } finally {
        signal?.removeEventListener("abort", leave);
      }
    };

    return {
      maxValueBytes: capabilities?.maxValueBytes ?? Number.POSITIVE_INFINITY,
      // Asked each time: a part of the store may be away.
      get completeListing() {
        return capabilities?.completeListing ?? false;
      },
      isAdapter: capabilities !== undefined,
      hasLedger,
      canLease,
      hasRoomToRead: pace.hasRoomFor,
      asked,
      get isLeftAlone() {
        return circuit.isOpen;
      },
      read: (key, maxBytes = maxBytesUnder(key), signal = undefined) =>
        readBy(calls.read, key, maxBytes, signal),
      readAgain: async (key, maxBytes, signal) =>
        "readAgain" in storage ? readBy(calls.readAgain, key, maxBytes, signal) : undefined,
      write(key, bytes) {
        const isLarge = bytes.length >= bounds.pacedValueBytes;
        const call = async ({ end }: PacedCall) => {
          await calls.write(key, bytes);
          if (isLarge) end(bytes.length);
        };
        return guarded("write", call, isLarge ? bytes.length : 0);
      },
      remove,
      removeMany: (keys) =>
        calls.removeMany
          ? removeBatches(keys, calls.removeMany, (call) => guarded("remove", call))
          : removeEach(keys, remove),
      removeSometime: (key) => void calls.remove(key).catch(() => undefined),
      has: (key) => guarded("read", () => calls.has(key)),
      list: (folder) => guarded("list", () => calls.list(folder)),
      createIfAbsent: (key, bytes) => guarded("create", () => calls.create(key, bytes)),
    };
  };
  return asked("patiently");
}
