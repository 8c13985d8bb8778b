/** The public types, and the two ports through which the world enters: {@link ImageSource} and {@link StoreDriver}. */
import type { Driver, Storage } from "unstorage";

/** How an image is asked for beyond device type and version. All that changes its bytes is part of its identity. */
export interface ImageVariant {
  /** Development image (with local SSH and the like). Default `false`. */
  developmentMode?: boolean | undefined;
  /** `raw` or `flasher`, where the device type has both. Default: the upstream's choice for the device type. */
  imageType?: "raw" | "flasher" | undefined;
  /** Take the file as the upstream packs it. Default: the raw image, fetched compressed and inflated on the way. */
  fileType?: ".img" | ".zip" | ".gz" | undefined;
  /**
   * Who the image belongs to, 1 to 256 characters: images of different scopes never meet. Default: the source's
   * {@link ImageSource.scope}.
   */
  scope?: string | undefined;
  /** Id of the fleet to configure the image for. Such an image carries credentials: it is never stored nor shared. */
  appId?: number | undefined;
  /** Network of a configured image. Default `ethernet`. */
  network?: "ethernet" | "wifi" | undefined;
  /** Name of the Wi-Fi network, 1 to 256 characters. */
  wifiSsid?: string | undefined;
  /** Key of the Wi-Fi network, 1 to 256 characters. An image with one is never stored nor shared. */
  wifiKey?: string | undefined;
  /** Minutes between the device's update checks; a whole number from 1. Default: the upstream's. */
  appUpdatePollInterval?: number | undefined;
}

/** One available version of a device type's OS. */
export interface OsVersion {
  /** The raw version, for example `6.0.10+rev1`, `2.60.1+rev1.prod` or `2023.10.1`. */
  readonly version: string;
  /** `esr` for a version of an Extended Support Release line. */
  readonly line: "default" | "esr";
  /** `true` for one that is not final yet. */
  readonly draft: boolean;
  /** The upstream's name for the stage of the line, where it says one. */
  readonly phase?: string | undefined;
  /** Known issues, as the upstream words them. */
  readonly knownIssues?: string | undefined;
  /** When it was created, ISO 8601. */
  readonly createdAt?: string | undefined;
}

/** Options of every call that picks a version. */
export interface ResolveOptions {
  /** Count versions that are not final. Default `false`. */
  includeDrafts?: boolean | undefined;
  /** Ends the call; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * How the cache is used, in the words of `fetch`:
 *
 * - `default`: a copy confirmed within `maxAgeMs` is served, an older one once the upstream has confirmed it;
 * - `no-cache`: a copy is served once the upstream has confirmed it;
 * - `reload`: the image is downloaded, and replaces the copy;
 * - `no-store`: the image is downloaded, and the cache left alone;
 * - `force-cache`: a copy is served whatever its age; without one, the image is downloaded;
 * - `only-if-cached`: the same, but without a copy it is `NOT_CACHED`.
 */
export type CacheMode = "default" | "no-cache" | "reload" | "no-store" | "force-cache" | "only-if-cached";

/** A span of bytes. */
export interface ByteRange {
  /** First byte, from 0. */
  start: number;
  /** Byte after the last one; one beyond the image means its end. Default: the end. */
  end?: number | undefined;
}

/** How far a get has come. */
export interface Progress {
  /** Bytes of the image received and verified so far (of the range, where one was asked for). */
  transferredBytes: number;
  /**
   * Bytes there will be. While the image's size is not known, an estimate that goes by `percent`; exact at the end at the latest. Absent
   * while nothing can be said.
   */
  totalBytes?: number;
  /**
   * 0 to 100, never going down; 100 only once all is there. While the image's size is not known, as for one that comes as `.gz`, it is the
   * share of the compressed file that came with these bytes. Absent where the upstream says no length at all.
   */
  percent?: number;
  /** Milliseconds to go, as `percent` and the time so far let expect. */
  etaMs?: number;
  /** Mean rate since the start. */
  bytesPerSecond: number;
}

/** An image as an edit sees it. */
export interface EditableImage {
  /** Bytes of the image. */
  readonly size: number;
  /** Bytes `start` to `end` (exclusive) of the image, in a buffer of the caller's own. */
  read(start: number, end: number): Promise<Uint8Array>;
  /** Aborts when the edit is not wanted any more. */
  readonly signal: AbortSignal;
}

/** Bytes that take the place of as many others. */
export interface ImageSpan {
  /** First byte, from 0. */
  readonly start: number;
  /** What stands there. */
  readonly bytes: Uint8Array;
}

/**
 * Which bytes of an image become others; its size stays. The same edit of the same image gives the same bytes. Spans must not overlap
 * or reach beyond the image.
 */
export type ImageEdit = (image: EditableImage) => Promise<readonly ImageSpan[]>;

/** Options of {@link ImageManager.get} and {@link ImageManager.prefetch}. */
export interface GetOptions extends ImageVariant, ResolveOptions {
  /** How the cache is used. Default `default`. */
  cache?: CacheMode | undefined;
  /** Only these bytes. Not for `prefetch`, which stores an image whole. */
  range?: ByteRange | undefined;
  /** Called with the state after each chunk, the last time with 100 % and the exact total. What it throws is ignored. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** For edge runtimes: is given the work that should outlive the response, so that a cache fill can finish. */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined;
}

/**
 * A `ReadableStream` of an image that also says what it carries. Tee, pipeThrough and transfer yield plain streams.
 *
 * A piece is one chunk (4 MiB unless `chunkBytes` says otherwise) or a part of one, in a buffer of its own that is the reader's
 * alone. Where the garbage collector is late, free it when you are done with it: `piece.buffer.transfer(0)`.
 */
export type ImageStream = ReadableStream<Uint8Array<ArrayBuffer>> & {
  /** Canonical slug. */
  readonly deviceType: string;
  /** The exact version. */
  readonly version: string;
  /** Media type: `application/octet-stream` for an image inflated on the way, else the one that the upstream names. */
  readonly mime: string;
  /**
   * Bytes of the whole image, where known before the first byte (always for a cached one). A stream that turns out to have another
   * number of bytes fails with `IMAGE_CHANGED`.
   */
  readonly size?: number;
  /** Strong ETag of the whole image, quoted, where known (always for a cached one). */
  readonly etag?: string;
  /** When the upstream says that the file last changed, where it does. */
  readonly lastModified?: Date;
  /** Where the bytes come from; `stale` is the cache, served because the upstream could not be reached. */
  readonly origin: "cache" | "network" | "stale";
  /**
   * Settles when the stream's image is in the cache (with what is stored) or is known not to get there (`undefined`);
   * rejects with the stream's error. Need not be awaited.
   *
   * @throws `TRUNCATED_DOWNLOAD` also where the stream was delivered to its end and nothing proves that this was the image's.
   */
  committed(): Promise<ImageInfo | undefined>;
};

/** What the cache knows about an image. */
export interface ImageInfo {
  /** The manifest's id: `<slug>~<version>~<hash>`. */
  readonly id: string;
  /** Canonical slug. */
  readonly deviceType: string;
  /** The exact version. */
  readonly version: string;
  /** The variant, with only what differs from the defaults. */
  readonly variant: ImageVariant;
  /** Origin of the API that it came from. */
  readonly source: string;
  /** Media type: `application/octet-stream` for an image inflated on the way, else the one that the upstream names. */
  readonly mime: string;
  /** Bytes of the image. */
  readonly size: number;
  /** Strong ETag, quoted: SHA-256 over size, chunk size and chunk digests. Not the SHA-256 of the file. */
  readonly etag: string;
  /** When the upstream said that the file last changed, where it did. */
  readonly lastModified?: Date;
  /** When these bytes were stored. */
  readonly createdAt: Date;
  /** When the upstream last confirmed it. */
  readonly validatedAt: Date;
  /** Kept whatever `prune` and `maxBytes` want to go. */
  readonly pinned: boolean;
  /** Tells it from a {@link PartialImageInfo}. */
  readonly isComplete: true;
  /** Last use, noted at most every 5 minutes. From `list` alone. */
  readonly lastUsedAt?: Date;
  /** Stored bytes that this image alone needs. From `list` alone. */
  readonly ownBytes?: number;
  /** Stored bytes that other images need as well. From `list` alone. */
  readonly sharedBytes?: number;
}

/** An image that is on its way, or whose transfer did not come to its end: the next one takes up what there is. */
export interface PartialImageInfo
  extends Pick<ImageInfo, "id" | "deviceType" | "version" | "variant" | "source" | "mime"> {
  /** Tells it from an {@link ImageInfo}. */
  readonly isComplete: false;
  /** When the transfer began. */
  readonly startedAt: Date;
  /** Bytes of the image that are there. */
  readonly transferredBytes: number;
  /** Bytes that there will be, where known. */
  readonly size?: number;
  /** 0 to 100, where the size is known. */
  readonly percent?: number;
}

/** What is to be kept within by {@link ImageManager.prune}. */
export interface PruneLimits {
  /** Bytes of stored images. Default: the manager's `maxBytes`. */
  maxBytes?: number | undefined;
  /** Images that were not used for longer go, in milliseconds. Default: none. */
  unusedForMs?: number | undefined;
}

/** What {@link ImageManager.prune} did. */
export interface PruneReport {
  /** Ids of the images that went. */
  readonly evicted: readonly string[];
  /** Bytes of chunks that went with them. */
  readonly freedBytes: number;
  /** Chunks that nobody needed, seen for the second time. */
  readonly orphans: number;
  /** Transfers that did not end and went: older than a day, or in the way of the limits. */
  readonly partials: number;
  /** Leases that nobody renewed for a day. */
  readonly leases: number;
  /** Ids whose manifest can't be read: they were passed over. While the store fails to give one, no orphan is swept. */
  readonly unreadable: readonly string[];
}

/** Options of {@link ImageManager.verify}. */
export interface VerifyOptions {
  /** Fetch damaged chunks again, delete manifests that can't be read. Default `false`: look only. */
  repair?: boolean | undefined;
  /** Ends the call; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called after each chunk with the stored bytes that were read so far, of all. What it throws is ignored. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** An image with bad chunks. */
export interface DamagedImage {
  /** The manifest's id, as in {@link ImageInfo.id}. */
  readonly id: string;
  /** Canonical slug. */
  readonly deviceType: string;
  /** The exact version. */
  readonly version: string;
  /** Indexes of chunks that are missing or damaged. */
  readonly chunks: readonly number[];
  /** Whether `repair` mended it. */
  readonly isRepaired: boolean;
}

/** What {@link ImageManager.verify} found. */
export interface VerifyReport {
  /** Images whose manifest can be read. */
  readonly images: number;
  /** Chunks that these images need, each counted once. */
  readonly chunks: number;
  /** Bytes of those chunks. */
  readonly checkedBytes: number;
  /** Images that need a chunk which is missing or damaged. */
  readonly damaged: readonly DamagedImage[];
  /** Ids whose manifest can't be read. */
  readonly unreadable: readonly string[];
  /** Chunks that nobody needs; `prune` sweeps them. */
  readonly orphans: number;
  /** Bytes of those orphans. */
  readonly reclaimableBytes: number;
}

/** What an {@link ImageSource} is asked to request. */
export interface ResolvedImage {
  /** Canonical slug. */
  readonly deviceType: string;
  /** Exact version, as the source listed it. */
  readonly version: string;
  /** What the caller asked for, without what equals the defaults, and without `scope`. */
  readonly variant: Readonly<ImageVariant>;
  /** The file to ask the upstream for: the variant's, or the one that a raw image is best fetched as. */
  readonly fileType: ".img" | ".zip" | ".gz";
  /** The whole file is wanted in one piece: its parts could not be had. Default `false`. */
  readonly isWhole?: boolean | undefined;
  /** Aborts when the answer is not wanted any more. To hear it is optional: nobody waits for it then. */
  readonly signal?: AbortSignal | undefined;
}

/** How to fetch an image, as a source says it. */
export interface ImageRequest {
  /** An `http` or `https` address without credentials. Up to 10 redirects are followed, none from `https` to `http`. */
  readonly url: string | URL;
  /** Sent along; `authorization` and `cookie` to the address's own origin alone. */
  readonly headers?: HeadersInit | undefined;
  /** `true` where the body is a gzip file that holds the image. */
  readonly gzip: boolean;
  /** Size of the image (uncompressed), where the source is certain: it then proves completeness. */
  readonly exactBytes?: number | undefined;
  /**
   * Size of the image (uncompressed) as a guess, for progress and for the room that `maxBytes` needs; a function is asked only where
   * neither size nor Content-Length is known, or where `maxBytes` is set. The size of a compressed file is no such guess.
   */
  readonly estimatedBytes?: number | (() => Promise<number | undefined>) | undefined;
}

/** One piece of an image as it lies at the upstream: a partition, say, or the gap between two. */
export interface ImagePart {
  /** What it is called there: 1 to 128 letters, digits and `. _ -`. */
  readonly name: string;
  /** An `http` or `https` address without credentials. It may expire: it is asked for again then. */
  readonly url: string | URL;
  /** Sent along, to the address's own origin alone. Tokens have no place here: such addresses are signed. */
  readonly headers?: HeadersInit | undefined;
  /** `deflate-raw`: a raw DEFLATE stream without its final block, ended by a sync flush. `identity`: the bytes as they are. */
  readonly encoding: "deflate-raw" | "identity";
  /** Bytes on the wire. */
  readonly wireBytes: number;
  /** Bytes of the image in it. */
  readonly bytes: number;
  /** CRC-32 of those bytes, as gzip has it. */
  readonly crc32: number;
}

/** An image in parts: in the image's order, covering all of it. At most 4,096. */
export interface ImageParts {
  readonly parts: readonly ImagePart[];
}

/** Options of a source's look-ups. */
export interface SourceOptions {
  /** Aborts when the answer is not wanted any more. To hear it is optional: nobody waits for it then. */
  readonly signal?: AbortSignal | undefined;
  /** To be called whenever bytes of an answer came. A look-up that does not is given up after `lookUpTimeoutMs`. */
  readonly onBytes?: (() => void) | undefined;
}

/** Credentials whose owner is not known before the upstream has said who that is. */
export interface SourceAccount {
  /** Hex digest of the credentials and the upstream: nobody without them can make it, and it does not tell them. */
  readonly digest: string;
  /**
   * Asks the upstream; answers the scope. Called once for credentials: the manager remembers the answer, in the store as well.
   *
   * @throws `UNAUTHORIZED` where the upstream refuses the credentials, `UPSTREAM` where it can't be asked.
   */
  confirm(options: SourceOptions): Promise<string>;
}

/**
 * Where images come from. It names versions and says how to request an image; the core fetches the bytes.
 * Its errors are {@link ImageManagerError}s (`DEVICE_TYPE_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`); another one that it
 * throws counts as `UPSTREAM`.
 */
export interface ImageSource {
  /** The API's origin, for example `https://api.balena-cloud.com`: part of every identity. */
  readonly id: string;
  /**
   * The default scope: `undefined` without a token, else one per account. Never a token itself. What a token says of its owner is anybody's
   * to write: unless the scope is made of the whole secret (a digest), answer a {@link SourceAccount}, which the upstream confirms.
   */
  scope?(options: SourceOptions): Promise<string | SourceAccount | undefined>;
  /** Canonical slug of a slug or alias. */
  resolveDeviceType(slugOrAlias: string, options: SourceOptions): Promise<string>;
  /** All versions of a canonical slug, in any order. One upstream request. */
  versions(
    slug: string,
    options: SourceOptions & { readonly includeDrafts?: boolean | undefined },
  ): Promise<OsVersion[]>;
  /** Asked anew for every attempt, so that a token is never older than that. */
  request(image: ResolvedImage): Promise<ImageRequest | ImageParts>;
}

/** What a store can do, as data; the core branches on these, never on a name. */
export interface StoreCapabilities {
  /** Largest value it takes. Default: no limit. */
  readonly maxValueBytes?: number | undefined;
  /** `getKeys(prefix)` returns every key under the prefix, and no other. */
  readonly completeListing: boolean;
  /**
   * Reads call {@link StoreReadOptions.onProgress}, so that a value that comes slowly is told from one that does not come.
   * Default `false`: a value may take as long as its size and the rate measured so far let expect.
   */
  readonly tellsProgress?: boolean | undefined;
}

/** How {@link StoreDriver} reads a value. */
export interface StoreReadOptions {
  /**
   * The most bytes that the value can have: a larger one reads as `null`, since it can't be what is looked for, and no more
   * than that of it is held in memory. An empty value may then read as `null`, too. Default: 512 MiB, and a larger one
   * rejects.
   */
  maxBytes?: number | undefined;
  /**
   * To be called whenever bytes of the value have come, or of values that come before it on the same connection: at least once a second
   * while there are any.
   */
  onProgress?: (() => void) | undefined;
  /** Aborts when the value is not wanted any more. To hear it is optional: nobody waits for it then. */
  signal?: AbortSignal | undefined;
}

/** What {@link StoreDriver.createIfAbsent} found; `unsupported` where the store can't make sure. */
export type CreateResult = "created" | "exists" | "unsupported";

/**
 * A store adapter: an unstorage `Driver` that says what it can. Raw values go in and come out as `Uint8Array`, the one that
 * comes out is the caller's own, faults are thrown, and a missing key is `null`.
 */
export interface StoreDriver extends Driver {
  /** What it promises. An unstorage driver without this counts as one that does not list completely. */
  readonly capabilities: StoreCapabilities;
  /** Reads bytes. The core always says how many there may be; an adapter that can't bound a read may ignore it. */
  getItemRaw?(key: string, options: StoreReadOptions): unknown;
  /**
   * Writes only where the key does not exist, with exactly one winner among racing writers. A store that lacks it, or answers
   * `unsupported`, works; but processes that share it do not share downloads.
   */
  createIfAbsent?(key: string, bytes: Uint8Array): Promise<CreateResult>;
}

/** Something that happened inside, for logs and metrics. `image` is an {@link ImageInfo.id}. Carries no secret. */
export type ImageManagerEvent =
  /**
   * How a get or prefetch found the cache: with a copy that needed no request, without one, with one that the upstream has just
   * confirmed, or with one that it could not be asked about.
   */
  | { readonly type: "hit" | "miss" | "revalidated" | "stale-served"; readonly image: string }
  /** A broken transfer went on; `fromByte` of the upstream's file (0: it started over and is compared). */
  | { readonly type: "resumed"; readonly image: string; readonly fromByte: number; readonly cause: unknown }
  /** Damaged chunks were fetched again; `chunks` of them in a row gave the reason, a whole transfer may have mended more. */
  | { readonly type: "healed"; readonly image: string; readonly chunks: number }
  /** A raw image begins like no disk or file system that is known. It is delivered and stored all the same. */
  | { readonly type: "unrecognized"; readonly image: string }
  /** An image left the store, by `remove`, `prune` or `maxBytes`; `freedBytes` of chunks that nobody else needs went with it. */
  | { readonly type: "evicted"; readonly image: string; readonly freedBytes: number }
  /** An image is in the store, whole; `size` in bytes. */
  | { readonly type: "committed"; readonly image: string; readonly size: number }
  /** Delivered, but nothing proved it complete: not stored. */
  | { readonly type: "unproven"; readonly image: string; readonly size: number }
  /** The store failed in an `operation` such as `read` or `write`; what needed it goes on without. */
  | { readonly type: "store-fault"; readonly operation: string; readonly cause: unknown }
  /** The store answers again, within `storeTimeoutMs`, after an `operation` of it had hung and gets had left it alone. */
  | { readonly type: "store-back"; readonly operation: string };

/** Options of {@link createImageManager}. */
export interface ImageManagerOptions {
  /** Where images come from. */
  source: ImageSource;
  /** Where they are kept: one of our adapters, or any unstorage driver or storage. */
  storage: Driver | Storage;
  /** Every key lives under it, nothing else is ever touched. Default `balena-images`. */
  prefix?: string | undefined;
  /** Bytes of a chunk. Default 4 MiB; 256 KiB to 64 MiB; lowered to the store's `maxValueBytes`. */
  chunkBytes?: number | undefined;
  /** Chunk buffers in flight over all streams. Default 64 MiB; each stream gets at least one chunk. */
  memoryBytes?: number | undefined;
  /**
   * Cap on the bytes of stored chunks, each counted once: of images, of those on their way, and of what is left of broken transfers,
   * which goes first. Then the least recently used images go; an image that does not fit is delivered, not stored. Default: none. Needs a store that lists completely (`LISTING_INCOMPLETE`).
   */
  maxBytes?: number | undefined;
  /** When a copy counts as fresh. */
  freshness?: FreshnessOptions | undefined;
  /** How a broken transfer is retried. */
  retry?: RetryOptions | undefined;
  /**
   * Milliseconds that a look-up (a device type, a version list, whose a token is, whether a copy is still fresh) may go without a byte of
   * an answer. In all, with its retries, it has six times that. Then it fails with `UPSTREAM`, or a cached copy is served. Default
   * 10,000; 1 to 300,000,000.
   */
  lookUpTimeoutMs?: number | undefined;
  /**
   * Longest wait of a get for the store, in milliseconds: for a small value in all, for a chunk without progress. After that the
   * get goes on by the upstream, and the store is left alone by gets for a while, this long at first and up to 5 minutes; the
   * events `store-fault` and `store-back` tell both. Gets that nothing but the store can serve, and methods whose whole point is the
   * store, ask it all the same. Default 5,000; a whole number from 1.
   */
  storeTimeoutMs?: number | undefined;
  /** How processes that share a store take turns. */
  lease?: LeaseOptions | undefined;
  /** Makes a gzip decompressor. Default `new DecompressionStream("gzip")`. */
  inflate?: (() => TransformStream<Uint8Array, Uint8Array>) | undefined;
  /** Hashes chunks. Default `crypto.subtle`; `nodeHash` of `balena-image-manager/node` is faster on Node. */
  hash?: Hasher | undefined;
  /** The time, in milliseconds since 1970. Default `Date.now`. */
  now?: (() => number) | undefined;
  /**
   * Default: the global `fetch`. On Node 22 and 24 that of the package undici 8 is safer with servers that close connections in the middle
   * of a file (nodejs/undici#5360).
   */
  fetch?: typeof fetch | undefined;
  /** Told what happens inside. What it throws is ignored. */
  onEvent?: ((event: ImageManagerEvent) => void) | undefined;
}

/**
 * SHA-256 of bytes. It may move them, to another thread for example, so that the given buffer can't be used any more; what it
 * resolves to then has them in a buffer of their own. The manager trusts what it says: a wrong answer makes wrong images.
 */
export type Hasher = (bytes: Uint8Array<ArrayBuffer>) => Promise<HashedBytes>;

/** Bytes that were hashed. */
export interface HashedBytes {
  /** Lower-case hex. */
  readonly sha256: string;
  /** The bytes that were given, in the same buffer or in another one. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** When a cached copy may be served. */
export interface FreshnessOptions {
  /** A copy confirmed within this time is served without a request. Default 0: always ask. */
  maxAgeMs?: number | undefined;
  /** How long past `maxAgeMs` a copy may be served while the upstream can't be reached. Default `Infinity`. */
  staleIfErrorMs?: number | undefined;
}

/** How a broken transfer is retried. */
export interface RetryOptions {
  /**
   * Failures in a row without a byte of progress before giving up. Default 11; 1 means no retry. With the other defaults, an outage of
   * 75 seconds is outlived for certain, and after 2.5 minutes of refused connections the error comes, which says how long it was tried.
   */
  attempts?: number | undefined;
  /** The first pause is at most this and at least half of it, at random; it doubles with each failure. Default 500. */
  minDelayMs?: number | undefined;
  /** Largest pause, and largest Retry-After that is honoured. Default 30,000. */
  maxDelayMs?: number | undefined;
  /**
   * A transfer that brings no byte for this long while one is wanted counts as broken. Default 30,000. Node's own `fetch` gives up
   * after 300,000, whatever stands here.
   */
  idleTimeoutMs?: number | undefined;
}

/** How processes that share a store take turns at a transfer. All of them should have the same. */
export interface LeaseOptions {
  /** How often the one that transfers shows that it lives. Default 2,000. */
  heartbeatMs?: number | undefined;
  /** After how long without a sign of life another one takes over. Default 10,000; more than twice `heartbeatMs`. */
  ttlMs?: number | undefined;
  /** How often the others look for new chunks. Default 250. */
  pollMs?: number | undefined;
}

/**
 * The cache of images in front of a source. Every method rejects with an {@link ImageManagerError}, or with the reason of an
 * aborted signal; nothing is lost by either.
 */
export interface ImageManager {
  /**
   * Gets an image as a stream: from the cache where that is fresh, else from the upstream, filling the cache on the way. Stored
   * bytes are verified before they are handed out; gets of one image at once share one transfer. A stream that is not read to its end
   * should be cancelled, so that its transfer can end.
   *
   * @param deviceType - A slug or an alias.
   * @param versionOrRange - An exact version; a semver range, of which it takes the newest; `latest` (the default), which is the
   *   newest, pre-releases included; `recommended`, the newest that is none; or `default`, the recommended one or else the latest.
   *   Extended-support (ESR) versions count only for what starts at 2018 or above, or where there are no others.
   * @param options - Which variant, from where, and how much of it.
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `NOT_CACHED`,
   *   `UNAUTHORIZED`, `UPSTREAM`; `STORE` where only the store can answer (`only-if-cached`, `force-cache` without an upstream)
   *   and fails; the stream itself also `TRUNCATED_DOWNLOAD`, `IMAGE_CHANGED`, `INTEGRITY`.
   * @example
   * ```ts
   * const image = await images.get("raspberrypi4-64", "^6.0.0", { onProgress: ({ percent }) => console.log(percent) });
   * for await (const bytes of image) process.stdout.write(bytes);
   * ```
   */
  get(deviceType: string, versionOrRange?: string, options?: GetOptions): Promise<ImageStream>;
  /**
   * Gets an image into the cache without handing it out.
   *
   * @throws As `get`, and `STORE` where the image can't be kept.
   * @example
   * ```ts
   * const { id, size } = await images.prefetch("raspberrypi4-64", "recommended");
   * ```
   */
  prefetch(deviceType: string, versionOrRange?: string, options?: GetOptions): Promise<ImageInfo>;
  /**
   * The exact version that a version or range stands for. While the upstream can't be reached: the best one that is cached.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`.
   * @example
   * ```ts
   * const version = await images.resolve("raspberrypi4-64", "~6.0.0"); // for example "6.0.10+rev1"
   * ```
   */
  resolve(deviceType: string, versionOrRange?: string, options?: ResolveOptions): Promise<string>;
  /**
   * All versions, newest first, ESR lines after the default line.
   *
   * @throws `INVALID_ARGUMENT`, `DEVICE_TYPE_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`.
   * @example
   * ```ts
   * const [newest] = await images.versions("raspberrypi4-64", { includeDrafts: true });
   * ```
   */
  versions(deviceType: string, options?: ResolveOptions): Promise<OsVersion[]>;
  /**
   * What the cache holds of an image, `undefined` where it does not; asks no upstream.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `STORE`.
   * @example
   * ```ts
   * const info = await images.inspect("raspberrypi4-64", "6.1.0", { developmentMode: true });
   * ```
   */
  inspect(deviceType: string, version: string, variant?: ImageVariant): Promise<ImageInfo | undefined>;
  /**
   * Whether the cached copy is fresh, asking the upstream where `maxAgeMs` has passed. `false` where there is none.
   *
   * @throws As `inspect`, and `UNAUTHORIZED`, `VERSION_NOT_FOUND`, `UPSTREAM`.
   * @example
   * ```ts
   * if (!(await images.isFresh("raspberrypi4-64", "6.1.0"))) await images.prefetch("raspberrypi4-64", "6.1.0");
   * ```
   */
  isFresh(deviceType: string, version: string, variant?: ImageVariant): Promise<boolean>;
  /**
   * All cached images, and those on their way, in no particular order. Reads the manifests, not the chunks. One that the store can't
   * give is passed over, with a `store-fault` event. Calls at the same time share one look.
   *
   * @throws `STORE`, from the iteration.
   * @example
   * ```ts
   * for await (const image of images.list()) if (image.isComplete) console.log(image.id, image.ownBytes);
   * ```
   */
  list(): AsyncIterable<ImageInfo | PartialImageInfo>;
  /**
   * Deletes an image from the cache, pinned or not, what is left of a broken transfer of it, and the chunks that nobody else needs.
   * Streams of this process that are
   * reading it go on. `false` where it was not there.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `STORE`.
   * @example
   * ```ts
   * await images.remove("raspberrypi4-64", "6.0.10");
   * ```
   */
  remove(deviceType: string, version: string, variant?: ImageVariant): Promise<boolean>;
  /**
   * Keeps an image whatever `prune` and `maxBytes` want to go; a refresh keeps the pin. `false` where it is not cached.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `STORE`.
   * @example
   * ```ts
   * await images.pin("raspberrypi4-64", "6.1.0");
   * ```
   */
  pin(deviceType: string, version: string, variant?: ImageVariant): Promise<boolean>;
  /** Takes a pin back. `false` where the image is not cached. Throws and is used as `pin`. */
  unpin(deviceType: string, version: string, variant?: ImageVariant): Promise<boolean>;
  /**
   * Deletes what the limits want to go, first what is left of broken transfers, then images, least recently used first; and sweeps what nobody needs: chunks seen unused by two calls
   * an hour or more apart, transfers that did not end, and leases, a day old. Pinned images and those that this process
   * reads or writes are spared.
   *
   * @throws `INVALID_ARGUMENT`, `STORE`, and `LISTING_INCOMPLETE` where the store does not list completely.
   * @example
   * ```ts
   * const { freedBytes } = await images.prune({ maxBytes: 50e9, unusedForMs: 30 * 24 * 3600e3 });
   * ```
   */
  prune(limits?: PruneLimits): Promise<PruneReport>;
  /**
   * Reads every stored chunk once and reports damage, what can't be read and what nobody needs. With `repair`, damaged chunks
   * are fetched again.
   *
   * @throws `INVALID_ARGUMENT`, `STORE`, and `LISTING_INCOMPLETE` where the store does not list completely.
   * @example
   * ```ts
   * const { damaged } = await images.verify({ repair: true });
   * ```
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Deletes everything under the prefix and nothing outside it. Running transfers of this manager go on, uncached.
   *
   * @throws `STORE` where the store does not delete.
   * @example
   * ```ts
   * await images.cleanCache();
   * ```
   */
  cleanCache(): Promise<void>;
  /**
   * Ends transfers and all that the manager does in the background. Calls after it, and streams that are still being read, reject with `CLOSED`. The store is
   * the caller's: one that opened a connection is closed by its own `dispose()`.
   *
   * @example
   * ```ts
   * await images.close(); // or: await using images = createImageManager(…)
   * ```
   */
  close(): Promise<void>;
  /** `close`, as `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void>;
}
