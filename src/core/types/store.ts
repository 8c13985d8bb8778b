/** The port to a store: {@link StoreDriver}. */

import type { KeyValueStore } from "./key-value-store.ts";

/** What a store can do. The manager decides by these facts, never by the store's name. */
export interface StoreCapabilities {
  /** Bytes of the largest value that the store accepts. Default: no limit. */
  readonly maxValueBytes?: number | undefined;
  /** `true` if `getKeys(prefix)` returns every key under the prefix and no other key. */
  readonly completeListing: boolean;
  /**
   * `true` if reads call {@link StoreReadOptions.onProgress}. The manager can then tell a slow read from one that hangs. Default `false`:
   * the time limit of a read depends on the value's size and the rate measured so far.
   */
  readonly tellsProgress?: boolean | undefined;
}

/** Options of {@link StoreDriver}'s `getItemRaw`. */
export interface StoreReadOptions {
  /**
   * Most bytes that the value may have. A larger value reads as `null`, because it can't be the right one, and an adapter holds no more
   * than this in memory. An empty value may also read as `null`. Default: 512 MiB, and a larger value rejects.
   */
  maxBytes?: number | undefined;
  /**
   * Call it at least once a second while bytes arrive: bytes of this value, or of values before it on the same connection. Default: none.
   */
  onProgress?: (() => void) | undefined;
  /** Aborts when the value is no longer wanted. An adapter may ignore it; the caller stops waiting. Default: none. */
  signal?: AbortSignal | undefined;
}

/** A key that a call for many keys failed at, and why. */
export interface FailedKey {
  /** The key, as it was given. */
  readonly key: string;
  /** The error that a call for this key alone would reject with. */
  readonly cause: unknown;
}

/** What {@link StoreDriver.createIfAbsent} did. `unsupported` means that the store can't guarantee a single winner. */
export type CreateResult = "created" | "exists" | "unsupported";

/**
 * A store adapter: an unstorage `Driver` that declares its capabilities. Raw values are `Uint8Array`s. A value that was read belongs to
 * the caller. A missing key reads as `null`, and a failed call rejects.
 */
export interface StoreDriver extends KeyValueStore {
  /** Name of the adapter, for people. */
  readonly name?: string;
  /** What the adapter was made with, without secrets, for people. */
  readonly options?: unknown;
  /** What the store promises. If an unstorage driver has none, the manager assumes that it does not list completely. */
  readonly capabilities: StoreCapabilities;
  /** Reads bytes. The manager always passes `maxBytes`; an adapter that can't limit a read may ignore it. */
  getItemRaw?(key: string, options: StoreReadOptions): unknown;
  /**
   * Reads a chunk once more, after its bytes did not match its digest: from another place than `getItemRaw`, if there is one. The value then
   * takes the place of the damaged one. `null` if there is none. Default: there is no other place.
   */
  readAgain?(key: string, options: StoreReadOptions): unknown;
  /** Deletes a level: all keys that begin with `base` and a colon. The manager never calls it. */
  clear?(base: string, options: object): void | Promise<void>;
  /** Ends what the store opened. The manager does not call it: who made the store does. */
  dispose?(): void | Promise<void>;
  /**
   * Writes the value only if the key does not exist. If several writers race, exactly one gets `created`. A store works without this method,
   * or if it answers `unsupported`, but then processes that share the store do not share downloads.
   */
  createIfAbsent?(key: string, bytes: Uint8Array): Promise<CreateResult>;
  /**
   * Deletes up to 1,000 values, each as `removeItem` would, in fewer requests or in less time than as many calls of it. It tries every key,
   * and resolves with those that it failed at. If it rejects, any of them may be deleted. Without this method the manager calls `removeItem`
   * for each key.
   */
  removeItems?(keys: readonly string[]): Promise<readonly FailedKey[]>;
}
