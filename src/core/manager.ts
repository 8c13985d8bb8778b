/** Connects the source, the store and the options. Each method has its own file in `operations/`. */

import { bounds } from "./bounds.ts";
import type { ManagerContext } from "./context.ts";
import { ClosedError, InvalidArgumentError } from "./errors.ts";
import { foreignError } from "./foreign-error.ts";
import { withInternals } from "./manager-internals.ts";
import { createMemoryBudget } from "./memory/budget.ts";
import { cleanCache } from "./operations/clean-cache.ts";
import { get } from "./operations/get.ts";
import { inspect, isFresh } from "./operations/inspect.ts";
import { createInternals } from "./operations/internals.ts";
import { list } from "./operations/list.ts";
import { setPinned } from "./operations/pin.ts";
import { prefetch } from "./operations/prefetch.ts";
import { prune } from "./operations/prune.ts";
import { remove } from "./operations/remove.ts";
import { resolve } from "./operations/resolve.ts";
import { verify } from "./operations/verify.ts";
import { versions } from "./operations/versions.ts";
import { checkedOptions } from "./options.ts";
import { createByteStore, type Manner } from "./store/byte-store.ts";
import { isLeftAlone } from "./store/circuit-breaker.ts";
import { assertCompleteListing } from "./store/complete-listing.ts";
import { readInventory } from "./store/inventory.ts";
import { Ledger } from "./store/ledger.ts";
import { shareInventory } from "./store/shared-inventory.ts";
import { createUseRecorder } from "./store/uses.ts";
import { sparingStore } from "./store-fault.ts";
import type { GetOptions, ImageManager, ImageManagerOptions } from "./types.ts";
import { checkedSource } from "./upstream/source.ts";

/**
 * Creates a cache of balenaOS images in front of a source. It sends no request and reads nothing from the store yet.
 *
 * @throws `INVALID_ARGUMENT` if an option is missing or out of range. `LISTING_INCOMPLETE` if `maxBytes` is set and the store does not list
 *   completely.
 *
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
 * import { fsAdapter } from "balena-image-manager/adapters/fs";
 *
 * const images = createImageManager({ source: balenaSdkSource(), storage: fsAdapter({ base: "./images" }) });
 * const image = await images.get("raspberrypi4-64", "^6.0.0");
 * for await (const bytes of image) console.log(bytes.length);
 * ```
 */
export function createImageManager(options: ImageManagerOptions): ImageManager {
  const { context, close } = createContext(options);
  const manager: ImageManager = {
    get: (...args) => sparingStore(context, isStoreNeeded(args[2]), (sparing) => get(sparing, ...args)),
    prefetch: (...args) =>
      sparingStore(context, isStoreNeeded(args[2]), (sparing) => prefetch(sparing, ...args)),
    resolve: (...args) => sparingStore(context, false, (sparing) => resolve(sparing, ...args)),
    versions: (...args) => sparingStore(context, false, (sparing) => versions(sparing, ...args)),
    inspect: (...args) => inspect(context, ...args),
    isFresh: (...args) => isFresh(context, ...args),
    list: () => list(context),
    remove: (...args) => remove(context, ...args),
    pin: (...args) => setPinned(context, true, ...args),
    unpin: (...args) => setPinned(context, false, ...args),
    prune: (limits) => prune(context, limits),
    verify: (options) => verify(context, options),
    cleanCache: () => cleanCache(context),
    close,
    [Symbol.asyncDispose]: close,
  };
  return withInternals(manager, createInternals(context));
}

const isStoreNeeded = (options: GetOptions | undefined) => options?.cache === "only-if-cached";

function createContext(options: ImageManagerOptions): {
  context: ManagerContext;
  close: () => Promise<void>;
} {
  const { prefix, chunkBytes, memoryBytes, onEvent, ...checked } = checkedOptions(options);
  const emit = emitterOf(onEvent);
  const source = checkedSource(options.source, checked.lookUpTimeoutMs);
  const onBack = (operation: string, durationMs: number) =>
    emit({ type: "store-back", operation, durationMs });
  const store = createByteStore(options.storage, prefix, { storeTimeoutMs: checked.storeTimeoutMs, onBack });
  if (checked.maxBytes !== undefined) assertCompleteListing(store, '"maxBytes"');
  const closing = new AbortController();
  const onUnreadable = (cause: unknown) => emit({ type: "store-fault", operation: "read", cause });
  const inventoryBy = (manner: Manner) =>
    shareInventory(() => readInventory(store.asked(manner), onUnreadable));
  const inventories = {
    patiently: inventoryBy("patiently"),
    briefly: inventoryBy("briefly"),
    "unless-hung": inventoryBy("unless-hung"),
  };
  const context: ManagerContext = {
    ...checked,
    source,
    store,
    chunkBytes: chunkBytesFor(chunkBytes, store.maxValueBytes),
    memory: createMemoryBudget(memoryBytes),
    emit,
    closing: closing.signal,
    transfers: new Map(),
    seenLeases: new Map(),
    running: new Set(),
    endedTransfers: { count: 0 },
    reading: new Map(),
    lookUps: new Map(),
    accounts: new Map(),
    uses: createUseRecorder(store.asked("unless-hung"), checked.now),
    room: { usedBytes: Number.NaN, justWritten: new Set() },
    ledger: new Ledger(),
    onUnreadable,
    inventory: inventories.patiently,
    inventories,
    serially: createQueue(),
    confirming: new Map(),
    background: new Set(),
    describing: new Set(),
  };
  const close = async () => {
    closing.abort(new ClosedError("The image manager is closed"));
    await Promise.allSettled([...context.running].map(({ outcome }) => outcome));
    await Promise.allSettled(context.background);
  };
  return { context, close };
}

function emitterOf(onEvent: ImageManagerOptions["onEvent"]): ManagerContext["emit"] {
  return (event) => {
    // The event at the start of the pause has told the cause.
    if (event.type === "store-fault" && isLeftAlone(event.cause)) return;
    try {
      onEvent?.("cause" in event ? { ...event, cause: foreignError(event.cause) } : event);
    } catch {
      // An error of a listener must not break a download.
    }
  };
}

/** Runs one after the other, even if one of them fails. */
function createQueue(): ManagerContext["serially"] {
  let last: Promise<unknown> = Promise.resolve();
  return (change) => {
    const result = last.then(change);
    last = result.catch(() => undefined);
    return result;
  };
}

/** A store's limit applies. A store whose limit is below the smallest chunk can't be used. */
function chunkBytesFor(wanted: number, maxValueBytes: number): number {
  if (maxValueBytes >= bounds.leastChunkBytes) return Math.min(wanted, maxValueBytes);
  throw new InvalidArgumentError(
    `"storage" accepts values of at most ${maxValueBytes} bytes, but ${bounds.leastChunkBytes} are needed`,
  );
}
