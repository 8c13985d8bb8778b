/** The manager. */

import type { GetOptions, ImageStream } from "./get.ts";
import type { ImageInfo, ImageVariant, OsVersion, PartialImageInfo, ResolveOptions } from "./image.ts";
import type { PruneLimits, PruneReport, VerifyOptions, VerifyReport } from "./upkeep.ts";

/**
 * A cache of images in front of a source. Every method rejects with an {@link ImageManagerError}, or with the reason of an aborted signal.
 * What was stored before stays usable in both cases.
 *
 * If the source derives an image from a plainer one, only `get` delivers the derived image. All other methods mean the plainer image,
 * because that is what is stored.
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
   * @param options - The variant, the use of the cache, the range of bytes, and what is laid over them.
   * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `NOT_CACHED`, `UNAUTHORIZED`,
   *   `UPSTREAM`, `EDIT`. `STORE` if the store fails and only the store can answer (`only-if-cached`, or `force-cache` without an
   *   upstream). The stream can also fail with `TRUNCATED_DOWNLOAD`, `IMAGE_CHANGED` and `INTEGRITY`.
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
   * damaged chunks are downloaded again. With the manager's option `sha256`, it also reads each sound image in order, and notes its SHA-256
   * if that was missing or wrong.
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
