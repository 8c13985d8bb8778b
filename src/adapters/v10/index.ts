/**
 * The functions of version 10, for Node. They share one manager for the whole process, which needs no configuration. They use the balena SDK:
 * `npm install balena-sdk`.
 *
 * @module balena-image-manager/v10
 */
import { createDropIn, type DropInOptions } from "./create-drop-in.ts";
import { defaultManager } from "./default-manager.ts";
import type { ImageReadable } from "./image-readable.ts";

export { createDropIn, type DropIn, type DropInOptions } from "./create-drop-in.ts";
export type { ImageReadable } from "./image-readable.ts";
export type { DropInProgress } from "./progress.ts";
export { isESR, validateVersion } from "./versions.ts";

/**
 * Gets an image as a Node stream. The bytes come from the cache if its copy is fresh. Otherwise they come from balena and fill the cache on
 * the way. It behaves like version 10's `get`; `docs/migrating-from-10.md` lists every difference.
 *
 * Images are stored in `balena-image-manager` in the `cacheDirectory` of balena's settings (`~/.balenarc.yml`, `balenarc.yml`,
 * `BALENARC_CACHE_DIRECTORY`). The API and the login come from the balena SDK's shared options if they are set, otherwise from balena's
 * settings. All of this is read at the first call, not at import.
 *
 * Destroy a stream that you do not read to its end, so that its download can end.
 *
 * @param deviceType - A slug or an alias.
 * @param versionOrRange - An exact version, a semver range, `latest` (the default), `recommended` or `default`.
 * @param options - The variant, the use of the cache, and the range of bytes.
 * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `NOT_CACHED`, `UNAUTHORIZED`,
 *   `UPSTREAM`, with the messages of version 10. The stream can also fail with `TRUNCATED_DOWNLOAD`, `IMAGE_CHANGED` and `INTEGRITY`.
 *
 * @example
 * ```ts
 * import { createWriteStream } from "node:fs";
 * import { pipeline } from "node:stream/promises";
 * import { get } from "balena-image-manager/v10";
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
 * Deletes every image that {@link get} has stored, so that the next `get` downloads again. Files that version 10 left in the
 * `cacheDirectory` stay.
 *
 * @throws `STORE` if the disk does not delete. `INVALID_ARGUMENT` if balena's settings can't be read.
 *
 * @example
 * ```ts
 * import { cleanCache } from "balena-image-manager/v10";
 *
 * await cleanCache();
 * ```
 */
export async function cleanCache(): Promise<void> {
  return createDropIn(await defaultManager()).cleanCache();
}

/**
 * Resolves with the exact version that a version or range stands for. If balena can't be reached, that is the best cached version.
 *
 * @param deviceType - A slug or an alias.
 * @param versionOrRange - As in {@link get}.
 * @throws `INVALID_ARGUMENT`, `INVALID_VERSION`, `DEVICE_TYPE_NOT_FOUND`, `VERSION_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`, with the
 *   messages of version 10.
 *
 * @example
 * ```ts
 * import { resolveVersion } from "balena-image-manager/v10";
 *
 * console.log(await resolveVersion("raspberrypi4-64", "^6.0.0"));
 * ```
 */
export async function resolveVersion(deviceType: string, versionOrRange?: string | null): Promise<string> {
  return createDropIn(await defaultManager()).resolveVersion(deviceType, versionOrRange);
}
