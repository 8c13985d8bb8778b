/** The options of a manager, and its events. */

import type { ChunkEncoding } from "./encoding.ts";
import type { KeyValueStore } from "./key-value-store.ts";
import type { ImageSource } from "./source.ts";

/** What a transfer has cost from its beginning to an event. */
export interface TransferCost {
  /** Milliseconds since the transfer began, by the manager's `now`. */
  readonly durationMs: number;
  /**
   * Bytes of the upstream's files that this transfer received, compressed as they come, with those that came twice. Headers and look-ups are
   * not counted. What another process downloads is counted there.
   */
  readonly wireBytes: number;
}

/** Something that happened inside the manager, for logs and metrics. `image` is an {@link ImageInfo.id}. An event contains no secret. */
export type ImageManagerEvent =
  /**
   * What a get or prefetch found in the cache. `hit`: a copy that needed no request. `miss`: no copy.
   */
  | { readonly type: "hit" | "miss"; readonly image: string }
  /** The upstream confirmed a copy. It took `durationMs` milliseconds. */
  | { readonly type: "revalidated"; readonly image: string; readonly durationMs: number }
  /** A copy was served that the upstream could not be asked about. `cause` says why not. */
  | { readonly type: "stale-served"; readonly image: string; readonly cause: unknown }
  /**
   * A broken transfer continued at `fromByte` of the upstream's file. 0 means that it started again and compares the bytes. `cause` is the
   * error that broke it.
   */
  | { readonly type: "resumed"; readonly image: string; readonly fromByte: number; readonly cause: unknown }
  /**
   * Damaged chunks were downloaded again, within `durationMs` milliseconds. `chunks` damaged chunks in a row caused it; a whole transfer may
   * have repaired more.
   */
  | {
      readonly type: "healed";
      readonly image: string;
      readonly chunks: number;
      readonly durationMs: number;
    }
  /** A raw image does not begin like any known disk or file system. It is delivered and stored all the same. */
  | { readonly type: "unrecognized"; readonly image: string }
  /** An image was deleted, with `freedBytes` of chunks that nothing else needs. `reason` is the method or option that wanted it. */
  | {
      readonly type: "evicted";
      readonly image: string;
      readonly freedBytes: number;
      readonly reason: EvictionReason;
    }
  /** A whole image of `size` bytes is in the store. */
  | ({ readonly type: "committed"; readonly image: string; readonly size: number } & TransferCost)
  /** An image was delivered but not stored, because nothing proved it complete. `size` is in bytes. */
  | ({ readonly type: "unproven"; readonly image: string; readonly size: number } & TransferCost)
  /**
   * `runs` processes in a row were killed before they got further with the image than the one before: in a Worker with a time limit, for
   * example, in which a part of the image can't be inflated. The image is delivered, but not stored. It is tried again after a day, and by
   * each `prefetch`.
   */
  | { readonly type: "cut-off"; readonly image: string; readonly runs: number }
  /** An image of `size` bytes was delivered but not stored. `cause` says why: it does not fit, the store failed, or it was not to be stored. */
  | ({
      readonly type: "not-stored";
      readonly image: string;
      readonly size: number;
      readonly cause: unknown;
    } & TransferCost)
  /** A transfer failed for good, because of `cause`. A copy that is served instead has the event `stale-served`. */
  | ({ readonly type: "failed"; readonly image: string; readonly cause: unknown } & TransferCost)
  /** A transfer ended because nobody wanted its image any more, or because the manager was closed. The next one may continue it. */
  | ({ readonly type: "abandoned"; readonly image: string } & TransferCost)
  /** The store failed in an `operation` such as `read` or `write`. The work goes on without the store. */
  | { readonly type: "store-fault"; readonly operation: string; readonly cause: unknown }
  /** The store answers within `storeTimeoutMs` again. Gets had avoided it for `durationMs` milliseconds, because its `operation` had hung. */
  | { readonly type: "store-back"; readonly operation: string; readonly durationMs: number };

/** What wanted an image to be deleted. */
export type EvictionReason = "remove" | "prune" | "maxBytes";

/** Options of {@link createImageManager}. */
export interface ImageManagerOptions {
  /** Where images come from. */
  source: ImageSource;
  /** Where images are stored: one of this package's adapters, or any unstorage driver or storage. */
  storage: KeyValueStore;
  /**
   * Prefix of every key; the manager touches no other key. 1 to 200 characters: levels of `A-Z a-z 0-9 . _ ~ -`, separated by `:`, such as
   * `team:images`. Don't nest prefixes: `cleanCache` under `team` also deletes `team:images`. Default `balena-images`.
   */
  prefix?: string | undefined;
  /** Bytes of a chunk: 256 KiB to 64 MiB. A store's smaller `maxValueBytes` lowers it. Default 4 MiB. */
  chunkBytes?: number | undefined;
  /** Bytes of chunk buffers that all streams together may use: from 256 KiB. Each stream may always use one chunk. Default 64 MiB. */
  memoryBytes?: number | undefined;
  /**
   * Most bytes of chunks that the store may hold, counted as they are stored. A chunk that several images share counts once. Images that are being downloaded and
   * broken transfers count too. If room is needed, broken transfers are deleted first, then the least recently used images. An image that
   * does not fit is delivered but not stored. It needs a store that lists completely (otherwise `LISTING_INCOMPLETE`). Default: no limit.
   */
  maxBytes?: number | undefined;
  /** When a cached copy may be served. Default: ask the upstream about each copy, and serve the copy if the upstream can't be reached. */
  freshness?: FreshnessOptions | undefined;
  /** How a broken transfer is retried. Default: the defaults of {@link RetryOptions}. */
  retry?: RetryOptions | undefined;
  /**
   * How many ranges of a large part are fetched at once, each over a connection of its own: 1 to 16. More than 1 helps if the upstream or the
   * link limits each connection. Ranges that come before their turn take up to 32 MiB of `memoryBytes`. It matters only for images that the
   * source has in parts. Default 1.
   */
  connections?: number | undefined;
  /**
   * Milliseconds that a look-up may wait for the next byte of an answer. Look-ups ask for a device type, a version list, the owner of a
   * token, or whether a copy is still fresh. With all retries, a look-up may take six times as long. After that it fails with `UPSTREAM`,
   * or a cached copy is served. A whole number from 1 to 300,000,000. Default 10,000.
   */
  lookUpTimeoutMs?: number | undefined;
  /**
   * Milliseconds that a get waits for the store: in total for a small value, without progress for a chunk. After that the get continues
   * with the upstream. Later gets avoid the store for a while: first for this long, then for longer, up to 5 minutes. The events
   * `store-fault` and `store-back` report this. Gets that only the store can serve, and methods that are about the store, still ask it.
   * A whole number from 1. Default 5,000.
   */
  storeTimeoutMs?: number | undefined;
  /**
   * Keep the compressed bytes of an image's large parts in the store until the parts are complete. If this process dies, the next one
   * continues within a part, and fetches about 8 MiB again. It costs one more write of each byte that is downloaded; the bytes
   * are deleted when their part is complete. If `false`, the next process fetches again what had come of the part. Default `true`.
   */
  keepWireBytes?: boolean | undefined;
  /** How processes that share a store take turns. Default: the defaults of {@link LeaseOptions}. */
  lease?: LeaseOptions | undefined;
  /** Creates a gzip decompressor. Default `new DecompressionStream("gzip")`. */
  inflate?: (() => TransformStream<Uint8Array, Uint8Array>) | undefined;
  /** Hashes chunks. Default `crypto.subtle`; on Node, `nodeHash` of `balena-image-manager/node` is faster. */
  hash?: Hasher | undefined;
  /**
   * How chunks lie in the store: `gzipEncoding()`, or `zstdEncoding()` of `balena-image-manager/node`. Encoded chunks take a fifth to a half
   * of the room, and travel faster to and from a far store; encoding them takes processor time. Chunks that do not shrink by 3 % are stored
   * as they are. Every manager reads raw chunks, and gzip. A manager that can't decode a chunk takes it from the upstream, with the
   * event `store-fault`. Default: chunks are stored as they are.
   */
  encoding?: ChunkEncoding | undefined;
  /**
   * Also compute the SHA-256 of each image as a file, for `sha256sum`. It is computed while the image is downloaded. After a download that was
   * continued, what came before is read from the store. {@link ImageManager.verify} computes it for images that were stored without it. It
   * needs a `hash` with {@link Hasher.createSha256}, such as `nodeHash`; the web platform has none. Default `false`.
   */
  sha256?: boolean | undefined;
  /**
   * Secret from which the ETags of edited images are made: 16 to 1,024 bytes, or a text of 16 to 1,024 characters. Managers with the same
   * key give the same ETags. Without the secret, nobody can find out from an ETag what an edit contains. Default: a random key of this
   * manager.
   */
  editKey?: string | Uint8Array | undefined;
  /** Returns the time in milliseconds since 1970. Default `Date.now`. */
  now?: (() => number) | undefined;
  /**
   * Sends the requests for images. Default: the global `fetch`. On Node 22 and 24, `fetch` of the package undici 8 is safer with servers that close
   * connections in the middle of a file (nodejs/undici#5360).
   */
  fetch?: typeof fetch | undefined;
  /** Receives an event when something happens inside the manager. Errors that it throws are ignored. Default: none. */
  onEvent?: ((event: ImageManagerEvent) => void) | undefined;
}

/**
 * Computes the SHA-256 of bytes. It may move the bytes, for example to another thread; the given buffer can then no longer be used, and the
 * result has the bytes in another buffer. The manager trusts the result: a wrong digest makes wrong images.
 */
export interface Hasher {
  (bytes: Uint8Array<ArrayBuffer>): Promise<HashedBytes>;
  /** Starts a SHA-256 over bytes that come one piece after the other. Only the option `sha256` of the manager needs it. */
  createSha256?: (() => RunningSha256) | undefined;
}

/** A SHA-256 that is not finished yet. */
export interface RunningSha256 {
  /** Adds bytes. They must not be used any more once it has returned, or its promise has settled. */
  update(bytes: Uint8Array): unknown;
  /** The digest in lower-case hex. It is called once, at the end. */
  digest(): string | Promise<string>;
}

/** What a {@link Hasher} resolves with. */
export interface HashedBytes {
  /** The digest in lower-case hex. */
  readonly sha256: string;
  /** The bytes that were given, in the same buffer or in another one. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** When a cached copy may be served. */
export interface FreshnessOptions {
  /** Milliseconds. A copy that the upstream confirmed within this time is served without a request. Default 0: always ask. */
  maxAgeMs?: number | undefined;
  /** Milliseconds past `maxAgeMs` that a copy may be served if the upstream can't be reached. Default `Infinity`. */
  staleIfErrorMs?: number | undefined;
}

/** How a broken transfer is retried. */
export interface RetryOptions {
  /**
   * The transfer fails after this many failures in a row without a byte of progress. A whole number from 1, which means no retry.
   * Default 11. With the other defaults, a transfer survives any outage of 75 seconds. After 2.5 minutes of refused connections it fails,
   * and the error says how long it tried.
   */
  attempts?: number | undefined;
  /** Longest first pause in milliseconds. A pause is random, at least half as long; the limit doubles with each failure. Default 500. */
  minDelayMs?: number | undefined;
  /** Longest pause, and longest Retry-After that is respected, in milliseconds. Default 30,000. */
  maxDelayMs?: number | undefined;
  /**
   * Milliseconds. A transfer counts as broken if no byte arrives for this long while one is wanted. Default 30,000. Node's own `fetch` always
   * gives up after 300,000.
   */
  idleTimeoutMs?: number | undefined;
}

/** How processes that share a store take turns at a transfer. All of them should use the same values. */
export interface LeaseOptions {
  /** Milliseconds between two signs of life of the process that downloads. Default 2,000. */
  heartbeatMs?: number | undefined;
  /** Milliseconds without a sign of life after which another process takes over. More than twice `heartbeatMs`. Default 10,000. */
  ttlMs?: number | undefined;
  /** Milliseconds between two looks of the other processes for new chunks. Default 250. */
  pollMs?: number | undefined;
}
