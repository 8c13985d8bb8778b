/** `writeImage`: writes an image to devices, all of them from one reading, and verifies what they hold. */
import { ImageChangedError, InvalidArgumentError } from "../../../core/errors.ts";
import type { ImageManager, ImageStream } from "../../../core/types.ts";
import { getRest } from "../save/resume-save.ts";
import { BlockFeed, type BlockReader, type FeedOptions } from "./block-feed.ts";
import { assertFits, checkedDevice, type DeviceTarget } from "./device-target.ts";
import { type Block, type DeviceCalls, startDeviceThread } from "./device-thread.ts";
import { openDevice } from "./open-device.ts";
import { type CheckedWriteOptions, checkedWriteOptions, type WriteImageOptions } from "./options.ts";
import { writeDevice } from "./write-device.ts";

/** What {@link writeImage} resolves with, for one device. */
export interface WrittenImage extends Pick<ImageStream, "deviceType" | "version" | "mime" | "origin"> {
  /** Absolute path of the device, with links followed. */
  readonly device: string;
  /** Bytes of the image. */
  readonly size: number;
  /** Strong ETag of the image, with its quotes. Absent if the image is not cached. */
  readonly etag?: string;
  /** SHA-256 of the image as a file, in hex, if the manager computes it. */
  readonly sha256?: string;
  /** Bytes of zeros that were not written, because of `zeros: "skip"`. */
  readonly skippedBytes: number;
  /**
   * How the device was read back. `device`: around the page cache. `cache`: the system has no way around it, so some bytes may have come
   * from memory. `none`: with `verify: false`.
   */
  readonly readBack: "device" | "cache" | "none";
}

/** What is held in memory and written at a time. Cards and disks erase no more at once. */
const blockBytes = 4 * 1024 * 1024;
/** Blocks that a slow device may be behind the others. */
const sharedBlocks = 8;
/** Enough to read while a device writes. */
const ownBlocks = 2;

/**
 * Writes an image to a block device (an SD card, a USB stick, a disk) or to an existing raw file, flushes it and reads it back.
 *
 * With a list of devices, the image is read once and written to all of them at the same time, and the call resolves with one result for each, as
 * `Promise.allSettled` does. A device that fails harms no other. One that is slower than the others falls behind and reads the rest of the
 * image from the cache itself, if the image was cached before the call. Otherwise all wait for the slowest, so `prefetch` first.
 *
 * A device that is mounted, is used for swap, or holds the running system is refused. So is a link that another user has made. Block devices need Linux, and usually root. Deno is not supported. The call
 * holds the device exclusively (`O_EXCL`). The image's first 4 MiB, with the partition table, are zeros until everything else is on the
 * device and was verified. So a device whose writing was aborted, killed or unplugged does not boot and can't be mounted. Writing goes
 * around the page cache (`O_DIRECT`) if the system can do that; so does the reading back.
 *
 * @param manager - The manager that gets the image. Pieces of its stream are freed (their buffers are detached) as soon as they are copied.
 * @param deviceType - A slug or an alias, as for `get`.
 * @param versionOrRange - A version or range, as for `get`. `undefined` means `latest`.
 * @param device - Path of a block device or an existing file, or a list of them. Links are followed, for example `/dev/disk/by-id/…`.
 * @param options - Options of `get`, and how to write.
 * @throws What `get` and its stream throw. `TRUNCATED_DOWNLOAD` also if nothing proves that the download was complete. `INVALID_ARGUMENT` if
 *   there is no such device, or it is in use. `STORE` if the device fails, is busy, write-protected or too small, with the system's error as
 *   `cause`: `EIO`, `EBUSY`, `EROFS`, `ENOSPC`, `ENODEV`, `ETIMEDOUT`. `INTEGRITY` if it reads back other bytes; `image` is then the device, and
 *   `chunk` the block of 4 MiB.
 * @example
 * ```ts fragment: it writes to a card
 * import { writeImage } from "balena-image-manager/node";
 *
 * const { version, size } = await writeImage(images, "raspberrypi4-64", "^6.0.0", "/dev/sdb", {
 *   onProgress: ({ phase, percent }) => console.log(phase, percent),
 * });
 * ```
 */
export function writeImage(
  manager: Pick<ImageManager, "get">,
  deviceType: string,
  versionOrRange: string | undefined,
  device: string,
  options?: WriteImageOptions,
): Promise<WrittenImage>;
/** The same, for several devices at once. It rejects only if nothing could begin, or if the call was aborted. */
export function writeImage(
  manager: Pick<ImageManager, "get">,
  deviceType: string,
  versionOrRange: string | undefined,
  devices: readonly string[],
  options?: WriteImageOptions,
): Promise<PromiseSettledResult<WrittenImage>[]>;
export async function writeImage(
  manager: Pick<ImageManager, "get">,
  deviceType: string,
  versionOrRange: string | undefined,
  devices: string | readonly string[],
  options: WriteImageOptions = {},
): Promise<WrittenImage | PromiseSettledResult<WrittenImage>[]> {
  const checked = checkedWriteOptions(options);
  checked.get.signal?.throwIfAborted();
  assertSharedFiles();
  const names = namesOf(devices);
  const results = await writeAll(manager, [deviceType, versionOrRange], names, checked);
  checked.get.signal?.throwIfAborted();
  if (typeof devices !== "string") return results;
  const [result] = results;
  if (result?.status === "fulfilled") return result.value;
  throw result?.reason;
}

/** A file that is open here must be open in a thread too. */
function assertSharedFiles(): void {
  if ("Deno" in globalThis)
    throw new InvalidArgumentError("writeImage needs Node or Bun: threads of Deno share no open files");
}

function namesOf(devices: unknown): readonly string[] {
  const names = typeof devices === "string" ? [devices] : devices;
  if (Array.isArray(names) && names.length > 0) return names;
  throw new InvalidArgumentError("Name the device as a path, for example /dev/sdb, or several in a list");
}

/** A device that is ready to be written. */
interface Prepared {
  readonly target: DeviceTarget;
  readonly calls: DeviceCalls;
  readonly isDirect: boolean;
}

async function writeAll(
  manager: Pick<ImageManager, "get">,
  image: readonly [deviceType: string, versionOrRange: string | undefined],
  names: readonly string[],
  checked: CheckedWriteOptions,
): Promise<PromiseSettledResult<WrittenImage>[]> {
  const prepared = await Promise.allSettled(names.map((name) => prepare(name, checked)));
  const ready = prepared.filter((one) => one.status === "fulfilled").map(({ value }) => value);
  const leaving = new AbortController();
  try {
    if (ready.length === 0) return prepared as PromiseRejectedResult[];
    const options = withSignal(checked, leaving.signal);
    const stream = await manager.get(...image, options.get);
    const feed = new BlockFeed(stream, feedOptions(options, 0, sharedBlocks, stream.etag !== undefined));
    const writing = prepared.map(async (one) => {
      if (one.status === "rejected") throw one.reason;
      return writeOne(one.value, stream, feed.open(), options, manager);
    });
    return await Promise.allSettled(writing);
  } finally {
    leaving.abort(); // a stream that nobody reads any more
    await Promise.all(ready.map(({ calls }) => calls.end()));
  }
}

function withSignal(options: CheckedWriteOptions, leaving: AbortSignal): CheckedWriteOptions {
  const { signal } = options.get;
  return {
    ...options,
    get: { ...options.get, signal: AbortSignal.any(signal ? [signal, leaving] : [leaving]) },
  };
}

async function prepare(name: string, options: CheckedWriteOptions): Promise<Prepared> {
  const target = await checkedDevice(name, options);
  const files = await openDevice(target, options.allowMounted);
  try {
    const calls = startDeviceThread(target, files, blockBytes, options.deviceTimeoutMs);
    return { target, calls, isDirect: files.direct !== undefined };
  } catch (failure) {
    await files.close();
    throw failure;
  }
}

async function writeOne(
  { target, calls, isDirect }: Prepared,
  image: ImageStream,
  reader: BlockReader,
  options: CheckedWriteOptions,
  manager: Pick<ImageManager, "get">,
): Promise<WrittenImage> {
  try {
    assertFits(target, image.size);
    const { deviceType, version, mime, origin } = image;
    const proven = () => provenContent(image);
    const { size, skippedBytes } = await writeDevice({
      ...{ name: target.name, calls, blockBytes, imageBytes: image.size, proven },
      blocks: blocksOf(reader, image, options, manager),
      options: { ...options, signal: options.get.signal },
    });
    const readBack = !options.isVerified ? "none" : isDirect ? "device" : "cache";
    const content = await proven();
    return {
      ...{ device: target.path, deviceType, version, mime, origin, size, skippedBytes, readBack },
      ...content,
    };
  } finally {
    reader.close();
  }
}

/** Names the bytes, once it is sure that they are all. What is said of a commit is said of the image without its edits. */
async function provenContent(image: ImageStream): Promise<Pick<WrittenImage, "etag" | "sha256">> {
  const { etag, sha256 } = image.etag === undefined ? ((await image.committed()) ?? {}) : image;
  if (image.edited) return image.etag === undefined ? {} : { etag: image.etag };
  return { ...(etag !== undefined && { etag }), ...(sha256 !== undefined && { sha256 }) };
}

/** All blocks: those that are shared, and if the device is too slow for them, its own. */
async function* blocksOf(
  reader: BlockReader,
  image: ImageStream,
  options: CheckedWriteOptions,
  manager: Pick<ImageManager, "get">,
): AsyncGenerator<Block> {
  yield* blocksFrom(reader);
  const { leftBehindAt } = reader;
  if (leftBehindAt === undefined) return;
  const rest = await getRest(manager, image, leftBehindAt * blockBytes, options.get);
  if (!rest) throw new ImageChangedError("The cached image was replaced while it was being written");
  const own = new BlockFeed(rest, feedOptions(options, leftBehindAt, ownBlocks, false)).open();
  try {
    yield* blocksFrom(own);
  } finally {
    own.close();
  }
}

async function* blocksFrom(reader: BlockReader): AsyncGenerator<Block> {
  for (let block = await reader.next(); block; block = await reader.next()) yield block;
}

const feedOptions = (
  { isZeroSkipped }: CheckedWriteOptions,
  from: number,
  blocks: number,
  mayLeaveBehind: boolean,
): FeedOptions => ({ blockBytes, blocks, from, isZeroSkipped, mayLeaveBehind });
