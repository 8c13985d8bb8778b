/** How an image is asked for and delivered. */

import type { ImageInfo, ImageVariant, ResolveOptions } from "./image.ts";

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

/** The image that an {@link ImageEdit} reads, with what earlier edits of the same `get` have laid over it. */
export interface EditableImage {
  /** Bytes of the image. */
  readonly size: number;
  /**
   * Reads the bytes from `start` up to, but not including, `end`: at most 64 MiB. The buffer belongs to the caller. Bytes that are not in
   * the store yet are waited for. If the image can't be stored, read from its beginning to its end: going back may download it again.
   *
   * @throws `INVALID_ARGUMENT` if the bytes are not within the image, and whatever the stream of the image could fail with.
   */
  read(start: number, end: number): Promise<Uint8Array>;
  /** Aborts when the edit is no longer wanted, and when it has answered. */
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
 * Chooses which bytes of an image are replaced. The image keeps its size. The same edit must return the same spans for the same image,
 * because each get asks it again, also a get of the rest of a download. Spans must not overlap (`INVALID_ARGUMENT`) and must not reach
 * beyond the image (`EDIT`); all together have at most 128 MiB. If it throws, `get` rejects with `EDIT`, unless the error is an
 * {@link ImageManagerError}.
 *
 * @example
 * ```ts
 * import type { ImageEdit } from "balena-image-manager";
 *
 * const bootable: ImageEdit = async ({ read }) => {
 *   const signature = await read(510, 512);
 *   return signature[0] === 0x55 ? [] : [{ start: 510, bytes: new Uint8Array([0x55, 0xaa]) }];
 * };
 * const image = await images.get("raspberrypi4-64", "^6.0.0", { edit: bootable });
 * await image.cancel();
 * ```
 */
export type ImageEdit = (image: EditableImage) => Promise<readonly ImageSpan[]>;

/** Options of {@link ImageManager.get} and {@link ImageManager.prefetch}. */
export interface GetOptions extends ImageVariant, ResolveOptions {
  /** How the cache is used. Default `default`. */
  cache?: CacheMode | undefined;
  /** Get only these bytes. `prefetch` does not take it, since it stores the whole image. Default: the whole image. */
  range?: ByteRange | undefined;
  /**
   * Lays bytes over the image while it is delivered: files of its boot partition, for example. The image itself is got and cached as
   * without it, and nothing of the edit is stored. `get` resolves when the edit has answered. `prefetch` ignores it, since it stores the
   * image itself. Default: none.
   */
  edit?: ImageEdit | undefined;
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
  /**
   * Strong ETag of the whole image, with its quotes. Absent if it is not known yet, or if `edited` is `new-each-time`; any other cached
   * image has it. The ETag of an edited image is made with {@link ImageManagerOptions.editKey}.
   */
  readonly etag?: string;
  /** SHA-256 of the whole image as a file, in hex, as `sha256sum` prints it. Absent if the cache does not know it, and for an edited image. */
  readonly sha256?: string;
  /**
   * Set if the bytes differ from the cached image's, because an `edit` or a derived variant changes them. `repeatable`: the same call gives
   * the same bytes again. `new-each-time`: it does not, because the image gets a new key from the upstream.
   */
  readonly edited?: "repeatable" | "new-each-time";
  /** When the file last changed, as the upstream says. Absent if the upstream does not say, or if the image is edited. */
  readonly lastModified?: Date;
  /** Where the bytes come from. `stale` means the cache, used because the upstream could not be reached. */
  readonly origin: "cache" | "network" | "stale";
  /**
   * Resolves with the stored image when it is in the cache, or with `undefined` when it is clear that it will not be stored. You do not
   * have to await it. The stored image is always the one without edits.
   *
   * @throws The stream's error. `TRUNCATED_DOWNLOAD` also if the stream was delivered to its end, but nothing proves that the image ended there.
   */
  committed(): Promise<ImageInfo | undefined>;
};
