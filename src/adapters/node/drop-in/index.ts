/** The functions of version 10, over one manager for the whole process that needs no configuration. */
import { createDropIn, type DropInOptions } from "./create-drop-in.ts";
import { defaultManager } from "./default-manager.ts";
import type { ImageReadable } from "./image-readable.ts";

export { createDropIn, type DropIn, type DropInOptions } from "./create-drop-in.ts";
export type { ImageReadable } from "./image-readable.ts";
export type { DropInProgress } from "./progress.ts";
export { isESR, validateVersion } from "./versions.ts";

/**
 * Gets an image as a Node stream: from the cache where that is fresh, else from balena, filling the cache on the way. It behaves
 * as version 10's `get`; `docs/migrating-from-10.md` lists every difference.
 *
 * Images are kept below `balena-image-manager` in the `cacheDirectory` of balena's settings (`~/.balenarc.yml`, `balenarc.yml`,
 * `BALENARC_CACHE_DIRECTORY`). API and login are those of the balena SDK's shared options, else of balena's settings. All of it is
 * read at the first call, not at import.
 *
 * Destroy a stream that you do not read to its end, so that its download can end.
 *
 * @param deviceType - A slug or an alias.
 * @param versionOrRange - An exact version, a semver range, `latest` (the default), `recommended` or `default`.
 * @param options - Which variant, from where, and how much of it.
 * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `NOT_CACHED`, `UNAUTHORIZED`,
 *   `UPSTREAM`, with the messages of version 10; the stream itself also `TRUNCATED_DOWNLOAD`, `IMAGE_CHANGED`, `INTEGRITY`.
 *
 * @example
 * ```ts
 * import { createWriteStream } from "node:fs";
 * import { pipeline } from "node:stream/promises";
 * import { get } from "balena-image-manager/node";
 *
 * const stream = await get("raspberrypi4-64", "default");
 * stream.on("balena-image-manager:resolved-version", (version) => console.log(`balenaOS ${version}, ${stream.mime}`));
 * stream.on("progress", (state) => console.log(state?.percentage));
 * await pipeline(stream, createWriteStream("balena.img"));
 * ```
 */
export async function get(
  deviceType: string,
  versionOrRange?: string | null,
  options?: DropInOptions | null,
): Promise<ImageReadable> {
  return createDropIn(await defaultManager()).get(deviceType, versionOrRange, options);
}

/**
 * Deletes every image that {@link get} keeps, so that the next one is downloaded anew. Files that version 10 left in the
 * `cacheDirectory` stay.
 *
 * @throws `STORE` where the disk does not delete; `INVALID_ARGUMENT` where balena's settings can't be read.
 *
 * @example
 * ```ts
 * import { cleanCache } from "balena-image-manager/node";
 *
 * await cleanCache();
 * ```
 */
export async function cleanCache(): Promise<void> {
  return createDropIn(await defaultManager()).cleanCache();
}

/**
 * The exact version that a version or range stands for. While balena can't be reached: the best one that is cached.
 *
 * @param deviceType - A slug or an alias.
 * @param versionOrRange - As in {@link get}.
 * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`, with the
 *   messages of version 10.
 *
 * @example
 * ```ts
 * import { resolveVersion } from "balena-image-manager/node";
 *
 * console.log(await resolveVersion("raspberrypi4-64", "^6.0.0"));
 * ```
 */
export async function resolveVersion(deviceType: string, versionOrRange?: string | null): Promise<string> {
  return createDropIn(await defaultManager()).resolveVersion(deviceType, versionOrRange);
}
