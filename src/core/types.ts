/** The public types, and the two ports through which the world enters: {@link ImageSource} and {@link StoreDriver}. */
import type { Driver, Storage } from "unstorage";

/**
 * Which image of a device type and version is wanted. Every option that changes the bytes is part of the image's identity: two variants
 * are two images in the cache.
 */
export interface ImageVariant {
  /** Get the development image, which allows local SSH access. Default `false`. */
  developmentMode?: boolean | undefined;
  /** `raw` or `flasher`, if the device type has both. Default: the upstream chooses for the device type. */
  imageType?: "raw" | "flasher" | undefined;
  /** Get the file as the upstream packs it. Default: the raw image, which is downloaded compressed and inflated on the way. */
  fileType?: ".img" | ".zip" | ".gz" | undefined;
  /**
   * The owner of the image, 1 to 256 characters. Anyone who passes the same `scope` sees the same images. Images of different scopes are
   * kept apart. Default: the source's {@link ImageSource.scope}.
   */
  scope?: string | undefined;
  /**
   * Id of the fleet that the image is configured for. A configured image contains credentials, so it is never stored or shared.
   * Default: the image is not configured.
   */
  appId?: number | undefined;
  /** Network that a configured image connects to. Default `ethernet`. */
  network?: "ethernet" | "wifi" | undefined;
  /** Name of the Wi-Fi network, 1 to 256 characters. Default: none. */
  wifiSsid?: string | undefined;
  /** Key of the Wi-Fi network, 1 to 256 characters. An image with a key is never stored or shared. Default: none. */
  wifiKey?: string | undefined;
  /** Minutes between two update checks of the device: a whole number from 1. Default: the upstream chooses. */
  appUpdatePollInterval?: number | undefined;
  /** Fixed IPv4 address for the Wi-Fi network. It needs `wifiSsid`, `netmask` and `gateway`. Default: DHCP. */
  ip?: string | undefined;
  /** IPv4 address of the gateway that belongs to `ip`. Default: none. */
  gateway?: string | undefined;
  /** Netmask that belongs to `ip`: the length of the prefix, such as `24`, or an IPv4 mask. Default: none. */
  netmask?: string | undefined;
  /** Name of the fleet's new provisioning key, 1 to 256 characters. It needs `appId`. Default: the upstream chooses. */
  provisioningKeyName?: string | undefined;
  /** Description of the new provisioning key, 1 to 1,000 characters. It needs `appId`. Default: the upstream chooses. */
  provisioningKeyDescription?: string | undefined;
  /** When the new provisioning key expires, as ISO 8601, such as `2030-01-31`. It needs `appId`. Default: never. */
  provisioningKeyExpiryDate?: string | undefined;
}

/** One available version of a device type's OS. */
export interface OsVersion {
  /** The raw version, for example `6.0.10+rev1`, `2.60.1+rev1.prod` or `2023.10.1`. */
  readonly version: string;
  /** `esr` if the version belongs to an Extended Support Release line. */
  readonly line: "default" | "esr";
  /** `true` if the version is not final yet. */
  readonly draft: boolean;
  /** The upstream's name for the stage of the line. Absent if the upstream gives none. */
  readonly phase?: string | undefined;
  /** Known issues, in the upstream's words. Absent if the upstream gives none. */
  readonly knownIssues?: string | undefined;
  /** When the version was created, as ISO 8601. Absent if the upstream does not say. */
  readonly createdAt?: string | undefined;
}

/** Options of every call that picks a version. */
export interface ResolveOptions {
  /** Also consider versions that are not final yet. Default `false`. */
  includeDrafts?: boolean | undefined;
  /** Aborts the call, which then rejects with the signal's reason. Default: none. */
  signal?: AbortSignal | undefined;
}

/**
 * How the cache is used. The names are those of `fetch`:
 *
 * - `default`: serve the cached copy if the upstream confirmed it within `maxAgeMs`; ask the upstream about an older copy first;
 * - `no-cache`: ask the upstream about every copy before it is served;
 * - `reload`: download the image and replace the cached copy;
 * - `no-store`: download the image without reading or writing the cache;
 * - `force-cache`: serve a cached copy of any age; download the image if there is no copy;
 * - `only-if-cached`: serve a cached copy of any age; fail with `NOT_CACHED` if there is no copy.
 */
export type CacheMode = "default" | "no-cache" | "reload" | "no-store" | "force-cache" | "only-if-cached";

/** A span of bytes. */
export interface ByteRange {
  /** First byte, from 0. */
  start: number;
  /** The byte after the last one. A number beyond the image means the image's end. Default: the image's end. */
  end?: number | undefined;
}

/** How far a call has come. */
export interface Progress {
  /** Bytes of the image, or of the requested range, that were received and verified so far. */
  transferredBytes: number;
  /**
   * Bytes of the image or range in total. This is an estimate from `percent` while the size is not known, and exact at the end at the
   * latest. Absent while there is no estimate.
   */
  totalBytes?: number;
  /**
   * Share of the work that is done, 0 to 100. It never goes down, and it is 100 only when everything is there. If the image's size is not
   * known (a `.gz` file, for example), it is the share of the compressed file that was received. Absent if the upstream gives no length.
   */
  percent?: number;
  /** Expected time to the end in milliseconds, estimated from `percent` and the time so far. Absent while there is no estimate. */
  etaMs?: number;
  /** Mean rate since the start, in bytes per second. */
  bytesPerSecond: number;
}

/** The image that an {@link ImageEdit} reads. */
export interface EditableImage {
  /** Bytes of the image. */
  readonly size: number;
  /** Reads the bytes from `start` up to, but not including, `end`. The buffer belongs to the caller. */
  read(start: number, end: number): Promise<Uint8Array>;
  /** Aborts when the edit is no longer wanted. */
  readonly signal: AbortSignal;
}

/** Bytes that replace the same number of bytes of an image. */
export interface ImageSpan {
  /** First byte to replace, from 0. */
  readonly start: number;
  /** The new bytes. */
  readonly bytes: Uint8Array;
}

/**
 * Chooses which bytes of an image are replaced. The image keeps its size. The same edit must return the same spans for the same image.
 * Spans must not overlap and must not reach beyond the image.
 */
export type ImageEdit = (image: EditableImage) => Promise<readonly ImageSpan[]>;

/** Options of {@link ImageManager.get} and {@link ImageManager.prefetch}. */
export interface GetOptions extends ImageVariant, ResolveOptions {
  /** How the cache is used. Default `default`. */
  cache?: CacheMode | undefined;
  /** Get only these bytes. `prefetch` does not take it, since it stores the whole image. Default: the whole image. */
  range?: ByteRange | undefined;
  /** Called after each chunk. The last call has 100 % and the exact total. Errors that it throws are ignored. Default: none. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * For edge runtimes, which stop work when the response has ended. It receives a promise of the work that should go on, so that the cache
   * can be filled. Default: none.
   */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined;
}

/**
 * A `ReadableStream` of an image, with facts about that image. `tee`, `pipeThrough` and transfer return plain streams without the facts.
 *
 * A piece is a chunk (4 MiB unless you set `chunkBytes`) or a part of one. Each piece has its own buffer, which belongs to the reader.
 * If memory grows because the garbage collector is late, free the piece after use: `piece.buffer.transfer(0)`.
 */
export type ImageStream = ReadableStream<Uint8Array<ArrayBuffer>> & {
  /** Canonical slug of the device type. */
  readonly deviceType: string;
  /** The exact version. */
  readonly version: string;
  /** Media type: `application/octet-stream` if the image was inflated on the way, otherwise the upstream's. */
  readonly mime: string;
  /**
   * Bytes of the whole image. Absent if the size is not known before the first byte; a cached image always has it. The stream fails with
   * `IMAGE_CHANGED` if it delivers another number of bytes.
   */
  readonly size?: number;
  /** Strong ETag of the whole image, with its quotes. Absent if it is not known yet; a cached image always has it. */
  readonly etag?: string;
  /** When the file last changed, as the upstream says. Absent if the upstream does not say. */
  readonly lastModified?: Date;
  /** Where the bytes come from. `stale` means the cache, used because the upstream could not be reached. */
  readonly origin: "cache" | "network" | "stale";
  /**
   * Resolves with the stored image when it is in the cache, or with `undefined` when it is clear that it will not be stored. You do not
   * have to await it.
   *
   * @throws The stream's error. `TRUNCATED_DOWNLOAD` also if the stream was delivered to its end, but nothing proves that the image ended there.
   */
  committed(): Promise<ImageInfo | undefined>;
};

/** What the cache knows about an image. */
export interface ImageInfo {
  /** The manifest's id: `<slug>~<version>~<hash>`. */
  readonly id: string;
  /** Canonical slug of the device type. */
  readonly deviceType: string;
  /** The exact version. */
  readonly version: string;
  /** The variant. It has only the options that differ from the defaults. */
  readonly variant: ImageVariant;
  /** Origin of the API that the image came from. */
  readonly source: string;
  /** Media type: `application/octet-stream` if the image was inflated on the way, otherwise the upstream's. */
  readonly mime: string;
  /** Bytes of the image. */
  readonly size: number;
  /** Strong ETag, with its quotes: SHA-256 over size, chunk size and chunk digests. It is not the SHA-256 of the file. */
  readonly etag: string;
  /** When the file last changed, as the upstream said. Absent if the upstream did not say. */
  readonly lastModified?: Date;
  /** When these bytes were stored. */
  readonly createdAt: Date;
  /** When the upstream last confirmed these bytes. */
  readonly validatedAt: Date;
  /** `true` if `prune` and `maxBytes` must keep the image. */
  readonly pinned: boolean;
  /** Distinguishes the image from a {@link PartialImageInfo}. */
  readonly isComplete: true;
  /** When the image was last used, accurate to 5 minutes. Only `list` fills it in. */
  readonly lastUsedAt?: Date;
  /** Stored bytes that no other image needs. Only `list` fills it in. */
  readonly ownBytes?: number;
  /** Stored bytes that other images need too. Only `list` fills it in. */
  readonly sharedBytes?: number;
}

/** An image that is being downloaded, or whose download broke off. The next download continues with these bytes. */
export interface PartialImageInfo
  extends Pick<ImageInfo, "id" | "deviceType" | "version" | "variant" | "source" | "mime"> {
  /** Distinguishes the image from an {@link ImageInfo}. */
  readonly isComplete: false;
  /** When the transfer began. */
  readonly startedAt: Date;
  /** Bytes of the image that are stored. */
  readonly transferredBytes: number;
  /** Bytes of the whole image. Absent if the size is not known. */
  readonly size?: number;
  /** Share of the image that is stored, 0 to 100. Absent if the size is not known. */
  readonly percent?: number;
}

/** Limits that {@link ImageManager.prune} enforces. */
export interface PruneLimits {
  /** Most bytes that stored images may take. Default: the manager's `maxBytes`. */
  maxBytes?: number | undefined;
  /** Evict images that have not been used for this many milliseconds. Default: no limit. */
  unusedForMs?: number | undefined;
}

/** What {@link ImageManager.prune} did. */
export interface PruneReport {
  /** Ids of the deleted images. */
  readonly evicted: readonly string[];
  /** Bytes of the chunks that were deleted with these images and with broken transfers. `orphans` are not included. */
  readonly freedBytes: number;
  /** Number of deleted chunks that nothing needed. Two calls had found them unused. */
  readonly orphans: number;
  /** Number of deleted transfers that had broken off: they were older than a day, or the limits needed their room. */
  readonly partials: number;
  /** Number of deleted leases that nobody had renewed for a day. */
  readonly leases: number;
  /**
   * Ids of images whose manifest can't be read. They were skipped. If the store failed to read one, no orphan was deleted, because the
   * image may need it.
   */
  readonly unreadable: readonly string[];
}

/** Options of {@link ImageManager.verify}. */
export interface VerifyOptions {
  /** Download damaged chunks again, and delete manifests that can't be read. Default `false`: only report. */
  repair?: boolean | undefined;
  /** Aborts the call, which then rejects with the signal's reason. Default: none. */
  signal?: AbortSignal | undefined;
  /** Called after each chunk. It counts stored bytes that were read. Errors that it throws are ignored. Default: none. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** An image with missing or damaged chunks. */
export interface DamagedImage {
  /** The manifest's id, as in {@link ImageInfo.id}. */
  readonly id: string;
  /** Canonical slug of the device type. */
  readonly deviceType: string;
  /** The exact version. */
  readonly version: string;
  /** Indexes of the missing or damaged chunks. */
  readonly chunks: readonly number[];
  /** `true` if `repair` was set and replaced all of these chunks. */
  readonly isRepaired: boolean;
}

/** What {@link ImageManager.verify} found. */
export interface VerifyReport {
  /** Number of images whose manifest can be read. */
  readonly images: number;
  /** Number of chunks that these images need. A chunk that several images need counts once. */
  readonly chunks: number;
  /** Bytes of those chunks. */
  readonly checkedBytes: number;
  /** Images that need a missing or damaged chunk. */
  readonly damaged: readonly DamagedImage[];
  /** Ids of images whose manifest can't be read. */
  readonly unreadable: readonly string[];
  /** Number of chunks that nothing needs. `prune` deletes them. */
  readonly orphans: number;
  /** Bytes of the chunks that nothing needs. */
  readonly reclaimableBytes: number;
}

/** The image that an {@link ImageSource} must say how to request. */
export interface ResolvedImage {
  /** Canonical slug of the device type. */
  readonly deviceType: string;
  /** Exact version, as the source listed it. */
  readonly version: string;
  /** The variant. It has only the options that differ from the defaults, and no `scope`. */
  readonly variant: Readonly<ImageVariant>;
  /** The file type to request: the variant's, or for a raw image the one that is best to download. */
  readonly fileType: ".img" | ".zip" | ".gz";
  /** `true` if the answer must be an {@link ImageFile} of the whole file, because its parts could not be read. Default `false`. */
  readonly isWhole?: boolean | undefined;
  /** Aborts when the answer is no longer wanted. A source may ignore it; the caller stops waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** How to download an image as one file. */
export interface ImageFile {
  /** An `http` or `https` URL without credentials. Up to 10 redirects are followed, but none from `https` to `http`. */
  readonly url: string | URL;
  /** Headers to send. `authorization` and `cookie` are sent only to the URL's own origin. Default: none. */
  readonly headers?: HeadersInit | undefined;
  /** `true` if the body is a gzip file that contains the image. */
  readonly gzip: boolean;
  /** Uncompressed bytes of the image, if the source is certain. A download of this size counts as complete. Default: not known. */
  readonly exactBytes?: number | undefined;
  /**
   * Uncompressed bytes of the image as an estimate, for progress and for the room that `maxBytes` needs. A function is called only if
   * neither the size nor Content-Length is known, or if `maxBytes` is set. Do not give the size of the compressed file. Default: none.
   */
  readonly estimatedBytes?: number | (() => Promise<number | undefined>) | undefined;
}

/** One part of an image that the upstream stores as a file: a partition, for example, or the gap between two partitions. */
export interface ImagePart {
  /** The upstream's name for the part: 1 to 128 letters, digits and `. _ -`. */
  readonly name: string;
  /** An `http` or `https` URL without credentials. It may expire: the source is then asked for a new one. */
  readonly url: string | URL;
  /** Headers to send, only to the URL's own origin. Put no token here: these URLs are signed. Default: none. */
  readonly headers?: HeadersInit | undefined;
  /**
   * `deflate-raw`: a raw DEFLATE stream that ends with a sync flush and has no final block. `identity`: the bytes of the image,
   * uncompressed.
   */
  readonly encoding: "deflate-raw" | "identity";
  /** Bytes of the file, as they are sent. */
  readonly wireBytes: number;
  /** Bytes of the image in this part, uncompressed. */
  readonly bytes: number;
  /** CRC-32 of the uncompressed bytes, computed as gzip does. */
  readonly crc32: number;
}

/** An image in parts. */
export interface ImageParts {
  /** All parts, in the order of the image. Together they cover the whole image. At most 4,096. */
  readonly parts: readonly ImagePart[];
}

/** An image that follows from a plainer one. */
export interface DerivedImage {
  /** The plainer variant, without a `scope`. It is downloaded and cached. */
  readonly variant: ImageVariant;
  /** Makes the image from the plainer one. Nothing of it is stored. */
  readonly edit: ImageEdit;
  /**
   * `true` if the next call of `derive` makes another image, for example because it gets a new key from the upstream. The manager then
   * refuses a `range`, because parts of two images do not fit together. Default `false`.
   */
  readonly isNewEachTime?: boolean | undefined;
}

/** The image that {@link ImageSource.config} makes a configuration for. */
export type ConfiguredImage = Pick<ResolvedImage, "deviceType" | "version" | "variant" | "signal">;

/** Options of a source's look-ups. */
export interface SourceOptions {
  /** Aborts when the answer is no longer wanted. A source may ignore it; the caller stops waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Call it whenever bytes of an answer arrive. A look-up that does not call it fails after `lookUpTimeoutMs`. */
  readonly onBytes?: (() => void) | undefined;
}

/** Credentials whose owner only the upstream knows. */
export interface SourceAccount {
  /** Hex digest of the credentials and the upstream. It can't be made without the credentials, and it does not reveal them. */
  readonly digest: string;
  /**
   * Asks the upstream whose credentials these are, and resolves with the scope. The manager calls it once and remembers the answer, also in
   * the store.
   *
   * @throws `UNAUTHORIZED` if the upstream refuses the credentials, `UPSTREAM` if the upstream can't be asked.
   */
  confirm(options: SourceOptions): Promise<string>;
}

/**
 * Where images come from. A source lists versions and says how to request an image; the manager downloads the bytes.
 *
 * A source rejects with an {@link ImageManagerError} (`DEVICE_TYPE_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`). Any other error becomes
 * `UPSTREAM`.
 */
export interface ImageSource {
  /** The API's origin, for example `https://api.balena-cloud.com`. It is part of every image's identity. */
  readonly id: string;
  /**
   * The default scope: `undefined` without a token, otherwise one scope for each account. It must not be the token itself. Anyone can write
   * a token that names another owner. So either make the scope a digest of the whole secret, or return a {@link SourceAccount}, which the
   * upstream confirms.
   */
  scope?(options: SourceOptions): Promise<string | SourceAccount | undefined>;
  /** Resolves with the canonical slug of a slug or an alias. */
  resolveDeviceType(slugOrAlias: string, options: SourceOptions): Promise<string>;
  /** Resolves with all versions of a canonical slug, in any order. It makes one upstream request. */
  versions(
    slug: string,
    options: SourceOptions & { readonly includeDrafts?: boolean | undefined },
  ): Promise<OsVersion[]>;
  /**
   * Says how an image follows from a plainer one. The manager calls it once for each get. Resolves with `undefined` if the image has to be
   * downloaded as it is. Default: no image follows from another.
   */
  derive?(image: ResolvedImage): Promise<DerivedImage | undefined>;
  /** Says how to download an image. The manager calls it again for every attempt, so that each attempt has a current token. */
  request(image: ResolvedImage): Promise<ImageFile | ImageParts>;
  /**
   * Resolves with a fleet's `config.json` for an image. It can be laid over any number of plain images. The manager never calls it.
   * Default: the source has none.
   */
  config?(image: ConfiguredImage): Promise<Record<string, unknown>>;
}

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

/** What {@link StoreDriver.createIfAbsent} did. `unsupported` means that the store can't guarantee a single winner. */
export type CreateResult = "created" | "exists" | "unsupported";

/**
 * A store adapter: an unstorage `Driver` that declares its capabilities. Raw values are `Uint8Array`s. A value that was read belongs to
 * the caller. A missing key reads as `null`, and a failed call rejects.
 */
export interface StoreDriver extends Driver {
  /** What the store promises. If an unstorage driver has none, the manager assumes that it does not list completely. */
  readonly capabilities: StoreCapabilities;
  /** Reads bytes. The manager always passes `maxBytes`; an adapter that can't limit a read may ignore it. */
  getItemRaw?(key: string, options: StoreReadOptions): unknown;
  /**
   * Writes the value only if the key does not exist. If several writers race, exactly one gets `created`. A store works without this method,
   * or if it answers `unsupported`, but then processes that share the store do not share downloads.
   */
  createIfAbsent?(key: string, bytes: Uint8Array): Promise<CreateResult>;
}

/** Something that happened inside the manager, for logs and metrics. `image` is an {@link ImageInfo.id}. An event contains no secret. */
export type ImageManagerEvent =
  /**
   * What a get or prefetch found in the cache. `hit`: a copy that needed no request. `miss`: no copy. `revalidated`: a copy that the
   * upstream has just confirmed. `stale-served`: a copy that the upstream could not be asked about.
   */
  | { readonly type: "hit" | "miss" | "revalidated" | "stale-served"; readonly image: string }
  /**
   * A broken transfer continued at `fromByte` of the upstream's file. 0 means that it started again and compares the bytes. `cause` is the
   * error that broke it.
   */
  | { readonly type: "resumed"; readonly image: string; readonly fromByte: number; readonly cause: unknown }
  /** Damaged chunks were downloaded again. `chunks` damaged chunks in a row caused it; a whole transfer may have repaired more. */
  | { readonly type: "healed"; readonly image: string; readonly chunks: number }
  /** A raw image does not begin like any known disk or file system. It is delivered and stored all the same. */
  | { readonly type: "unrecognized"; readonly image: string }
  /** `remove`, `prune` or `maxBytes` deleted an image, with `freedBytes` of chunks that nothing else needs. */
  | { readonly type: "evicted"; readonly image: string; readonly freedBytes: number }
  /** A whole image of `size` bytes is in the store. */
  | { readonly type: "committed"; readonly image: string; readonly size: number }
  /** An image was delivered but not stored, because nothing proved it complete. `size` is in bytes. */
  | { readonly type: "unproven"; readonly image: string; readonly size: number }
  /** The store failed in an `operation` such as `read` or `write`. The work goes on without the store. */
  | { readonly type: "store-fault"; readonly operation: string; readonly cause: unknown }
  /** The store answers within `storeTimeoutMs` again. Gets had avoided it because its `operation` had hung. */
  | { readonly type: "store-back"; readonly operation: string };

/** Options of {@link createImageManager}. */
export interface ImageManagerOptions {
  /** Where images come from. */
  source: ImageSource;
  /** Where images are stored: one of this package's adapters, or any unstorage driver or storage. */
  storage: Driver | Storage;
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
   * Most bytes of chunks that the store may hold. A chunk that several images share counts once. Images that are being downloaded and
   * broken transfers count too. If room is needed, broken transfers are deleted first, then the least recently used images. An image that
   * does not fit is delivered but not stored. It needs a store that lists completely (otherwise `LISTING_INCOMPLETE`). Default: no limit.
   */
  maxBytes?: number | undefined;
  /** When a cached copy may be served. Default: ask the upstream about each copy, and serve the copy if the upstream can't be reached. */
  freshness?: FreshnessOptions | undefined;
  /** How a broken transfer is retried. Default: the defaults of {@link RetryOptions}. */
  retry?: RetryOptions | undefined;
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
  /** How processes that share a store take turns. Default: the defaults of {@link LeaseOptions}. */
  lease?: LeaseOptions | undefined;
  /** Creates a gzip decompressor. Default `new DecompressionStream("gzip")`. */
  inflate?: (() => TransformStream<Uint8Array, Uint8Array>) | undefined;
  /** Hashes chunks. Default `crypto.subtle`; on Node, `nodeHash` of `balena-image-manager/node` is faster. */
  hash?: Hasher | undefined;
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
export type Hasher = (bytes: Uint8Array<ArrayBuffer>) => Promise<HashedBytes>;

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

/**
 * A cache of images in front of a source. Every method rejects with an {@link ImageManagerError}, or with the reason of an aborted signal.
 * What was stored before stays usable in both cases.
 */
export interface ImageManager {
  /**
   * Gets an image as a stream. The bytes come from the cache if its copy is fresh. Otherwise they come from the upstream and fill the cache
   * on the way. Stored bytes are verified before they are delivered. Simultaneous gets of one image share one transfer. Cancel a stream
   * that you do not read to its end, so that its transfer can end.
   *
   * @param deviceType - A slug or an alias.
   * @param versionOrRange - One of these. An exact version. A semver range: its newest version. `latest` (the default): the newest version,
   *   also if it is a pre-release. `recommended`: the newest version that is no pre-release. `default`: the recommended version, or the
   *   latest if there is none. Extended-support (ESR) versions are considered only if the range starts at 2018 or above, or if there are
   *   no other versions.
   * @param options - The variant, the use of the cache, and the range of bytes.
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `NOT_CACHED`, `UNAUTHORIZED`,
   *   `UPSTREAM`. `STORE` if the store fails and only the store can answer (`only-if-cached`, or `force-cache` without an upstream). The
   *   stream can also fail with `TRUNCATED_DOWNLOAD`, `IMAGE_CHANGED` and `INTEGRITY`.
   * @example
   * ```ts
   * const image = await images.get("raspberrypi4-64", "^6.0.0", { onProgress: ({ percent }) => console.log(percent) });
   * for await (const bytes of image) process.stdout.write(bytes);
   * ```
   */
  get(deviceType: string, versionOrRange?: string, options?: GetOptions): Promise<ImageStream>;
  /**
   * Downloads an image into the cache without delivering it. A fresh copy is not downloaded again.
   *
   * @throws What `get` and its stream throw, and `STORE` if the image can't be stored.
   * @example
   * ```ts
   * const { id, size } = await images.prefetch("raspberrypi4-64", "recommended");
   * ```
   */
  prefetch(deviceType: string, versionOrRange?: string, options?: GetOptions): Promise<ImageInfo>;
  /**
   * Resolves with the exact version that a version or range stands for. If the upstream can't be reached, that is the best cached version.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`.
   * @example
   * ```ts
   * const version = await images.resolve("raspberrypi4-64", "~6.0.0"); // for example "6.0.10+rev1"
   * ```
   */
  resolve(deviceType: string, versionOrRange?: string, options?: ResolveOptions): Promise<string>;
  /**
   * Resolves with all versions of a device type, newest first. ESR lines come after the default line.
   *
   * @throws `INVALID_ARGUMENT`, `DEVICE_TYPE_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`.
   * @example
   * ```ts
   * const [newest] = await images.versions("raspberrypi4-64", { includeDrafts: true });
   * ```
   */
  versions(deviceType: string, options?: ResolveOptions): Promise<OsVersion[]>;
  /**
   * Resolves with what the cache knows about an image, or `undefined` if the image is not cached. It never asks the upstream.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `STORE`.
   * @example
   * ```ts
   * const info = await images.inspect("raspberrypi4-64", "6.1.0", { developmentMode: true });
   * ```
   */
  inspect(deviceType: string, version: string, variant?: ImageVariant): Promise<ImageInfo | undefined>;
  /**
   * Resolves with `true` if the cached copy is fresh. It asks the upstream if `maxAgeMs` has passed. `false` if there is no copy.
   *
   * @throws What `inspect` throws, and `UNAUTHORIZED`, `VERSION_NOT_FOUND`, `UPSTREAM`.
   * @example
   * ```ts
   * if (!(await images.isFresh("raspberrypi4-64", "6.1.0"))) await images.prefetch("raspberrypi4-64", "6.1.0");
   * ```
   */
  isFresh(deviceType: string, version: string, variant?: ImageVariant): Promise<boolean>;
  /**
   * Iterates over all cached images and all unfinished downloads, in no particular order. It reads manifests, not chunks. A manifest that
   * the store fails to read is skipped, with a `store-fault` event. Simultaneous calls share one reading.
   *
   * @throws `STORE`, when you iterate.
   * @example
   * ```ts
   * for await (const image of images.list()) if (image.isComplete) console.log(image.id, image.ownBytes);
   * ```
   */
  list(): AsyncIterable<ImageInfo | PartialImageInfo>;
  /**
   * Deletes an image from the cache, even a pinned one. Its broken transfers and the chunks that nothing else needs are deleted too. Streams
   * of this process that read the image go on. `false` if the image was not there.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `STORE`.
   * @example
   * ```ts
   * await images.remove("raspberrypi4-64", "6.0.10");
   * ```
   */
  remove(deviceType: string, version: string, variant?: ImageVariant): Promise<boolean>;
  /**
   * Pins an image, so that `prune` and `maxBytes` do not delete it. The pin stays if the image is downloaded again. `false` if the image is
   * not cached.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `STORE`.
   * @example
   * ```ts
   * await images.pin("raspberrypi4-64", "6.1.0");
   * ```
   */
  pin(deviceType: string, version: string, variant?: ImageVariant): Promise<boolean>;
  /**
   * Removes the pin of an image. `false` if the image is not cached.
   *
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `STORE`.
   * @example
   * ```ts
   * await images.unpin("raspberrypi4-64", "6.1.0");
   * ```
   */
  unpin(deviceType: string, version: string, variant?: ImageVariant): Promise<boolean>;
  /**
   * Deletes what exceeds the limits: first broken transfers, then images, the least recently used first. It also deletes what nothing needs:
   * chunks that two calls at least an hour apart found unused, and broken transfers and leases that are older than a day. It keeps
   * pinned images, and images that this process reads or writes.
   *
   * @throws `INVALID_ARGUMENT`, `STORE`, and `LISTING_INCOMPLETE` if the store does not list completely.
   * @example
   * ```ts
   * const { freedBytes } = await images.prune({ maxBytes: 50e9, unusedForMs: 30 * 24 * 3600e3 });
   * ```
   */
  prune(limits?: PruneLimits): Promise<PruneReport>;
  /**
   * Reads every stored chunk once. It reports damaged images, manifests that can't be read, and chunks that nothing needs. With `repair`,
   * damaged chunks are downloaded again.
   *
   * @throws `INVALID_ARGUMENT`, `STORE`, and `LISTING_INCOMPLETE` if the store does not list completely.
   * @example
   * ```ts
   * const { damaged } = await images.verify({ repair: true });
   * ```
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Deletes everything under the prefix and nothing outside it. Running transfers of this manager go on, but they are not stored.
   *
   * @throws `STORE` if the store does not delete.
   * @example
   * ```ts
   * await images.cleanCache();
   * ```
   */
  cleanCache(): Promise<void>;
  /**
   * Ends all transfers and all background work. Later calls, and streams that are still being read, reject with `CLOSED`. It does not close
   * the store: if the store has opened a connection, call the store's `dispose()`.
   *
   * @example
   * ```ts
   * await images.close(); // or: await using images = createImageManager(…)
   * ```
   */
  close(): Promise<void>;
  /** Calls `close`. `await using` uses it. */
  [Symbol.asyncDispose](): Promise<void>;
}
