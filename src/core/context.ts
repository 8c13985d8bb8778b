/** What every operation works with: the source, the store, the checked options and the state of one manager. */
import type { FreshnessPolicy } from "./freshness/plan.ts";
import type { MemoryBudget } from "./memory/budget.ts";
import type { Room } from "./retention/room.ts";
import type { LeaseTimes, SeenLease } from "./sharing/lease.ts";
import type { ByteStore, Manner } from "./store/byte-store.ts";
import type { CatalogEntry } from "./store/catalog.ts";
import type { ChunkCodec } from "./store/chunk-codec.ts";
import type { Inventory } from "./store/inventory.ts";
import type { Ledger } from "./store/ledger.ts";
import type { Manifest } from "./store/manifest.ts";
import type { UseRecorder } from "./store/uses.ts";
import type { RunningTransfer } from "./transfer/running-transfer.ts";
import type { Hasher, ImageManagerEvent, OsVersion, RunningSha256 } from "./types.ts";
import type { Inflater } from "./upstream/gzip-member.ts";
import type { RetryPolicy } from "./upstream/retry.ts";
import type { Source } from "./upstream/source.ts";

/** One manager's parts. */
export interface ManagerContext {
  readonly source: Source;
  readonly store: ByteStore;
  readonly chunkBytes: number;
  readonly maxBytes: number | undefined;
  readonly freshness: FreshnessPolicy;
  readonly retry: RetryPolicy;
  readonly lease: LeaseTimes;
  readonly storeTimeoutMs: number;
  readonly keepWireBytes: boolean;
  readonly memory: MemoryBudget;
  /** Ranges of a large part that are fetched at once. */
  readonly connections: number;
  readonly inflater: Inflater;
  readonly hash: Hasher;
  readonly codec: ChunkCodec;
  /** Set if the SHA-256 of whole images is wanted. */
  readonly createSha256: (() => RunningSha256) | undefined;
  /** The secret for ETags of edited images. */
  editKey(): Uint8Array<ArrayBuffer>;
  readonly fetch: typeof fetch;
  now(): number;
  /** Calls the caller's `onEvent`. Errors that it throws are ignored. */
  emit(event: ImageManagerEvent): void;
  /** Aborted when the manager is closed. */
  readonly closing: AbortSignal;
  /** Running transfers that others may join, by image id. */
  readonly transfers: Map<string, RunningTransfer>;
  /** Leases of others as they were last seen, by image id. */
  readonly seenLeases: Map<string, SeenLease>;
  /** All running transfers, shared or not. */
  readonly running: Set<RunningTransfer>;
  /** Manifests that streams of this process are reading, with their ids. */
  readonly reading: Map<Manifest, string>;
  readonly uses: UseRecorder;
  /** What is known of the store's room. It is used if there is a `maxBytes`. */
  readonly room: Room;
  readonly ledger: Ledger;
  /** Reports a value that can't be read. */
  onUnreadable(cause: unknown): void;
  /** Reads an inventory of the store. Simultaneous calls share one. A value that can't be read is reported as a `store-fault`. */
  inventory(): Promise<Inventory>;
  /** The same, by how the store is asked. */
  readonly inventories: Readonly<Record<Manner, () => Promise<Inventory>>>;
  /** Runs changes of manifests one after the other. */
  serially<T>(change: () => Promise<T>): Promise<T>;
  /** Notes under way that a copy is still right, by image id. */
  readonly confirming: Map<string, Promise<void>>;
  /** Ids of images whose chunks are being looked at, because they do not lie as their manifest says. */
  readonly describing: Set<string>;
  /** Work that nobody waits for, until the manager is closed. */
  readonly background: Set<Promise<unknown>>;
  /** How long a look-up may go without a byte. */
  readonly lookUpTimeoutMs: number;
  /** Scopes of the credentials that the upstream has accepted, by their digests. */
  readonly accounts: Map<string, string>;
  /** Look-ups of versions under way. */
  readonly lookUps: Map<string, Promise<CatalogEntry & { readonly versions: readonly OsVersion[] }>>;
  /** Counts the transfers that have ended, whichever way. */
  readonly endedTransfers: { count: number };
}

/** Lets work go on that nobody waits for but `close` and `cleanCache`. It must not reject. */
export function inBackground<T>(
  { background }: Pick<ManagerContext, "background">,
  work: Promise<T>,
): Promise<T> {
  background.add(work);
  void work.finally(() => background.delete(work));
  return work;
}
