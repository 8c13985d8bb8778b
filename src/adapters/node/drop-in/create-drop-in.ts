/** Gives any manager the interface of version 10. */
import type { GetOptions, ImageManager } from "../../../core/types.ts";
import { type ImageReadable, imageReadable } from "./image-readable.ts";
import { createProgressRelay } from "./progress.ts";
import { isESR, validateVersion } from "./versions.ts";
import { inWordsOfVersion10 } from "./wording.ts";

/** Options of version 10's `get`, and those of the manager's that make sense beside a Node stream's events. */
export type DropInOptions = Omit<GetOptions, "onProgress" | "waitUntil">;

/** What version 10 exported. */
export interface DropIn {
  /** As `get` of this module. */
  get(
    deviceType: string,
    versionOrRange?: string | null,
    options?: DropInOptions | null,
  ): Promise<ImageReadable>;
  /** Deletes everything under the manager's prefix. */
  cleanCache(): Promise<void>;
  /** As `resolveVersion` of this module. */
  resolveVersion(deviceType: string, versionOrRange?: string | null): Promise<string>;
  /** As `isESR` of this module. */
  isESR(version: string): boolean;
  /** As `validateVersion` of this module. */
  validateVersion(version: string): void;
}

/**
 * Gives a manager the interface of version 10: for another store than the disk, another source or other limits.
 *
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 * import { createDropIn } from "balena-image-manager/node";
 *
 * const images = createImageManager({ source: balenaSdkSource(), storage: memoryAdapter() });
 * const { resolveVersion } = createDropIn(images);
 * console.log(await resolveVersion("raspberrypi4-64", "default"));
 * ```
 */
export function createDropIn(manager: ImageManager): DropIn {
  return {
    get: (deviceType, versionOrRange, options) =>
      inWordsOfVersion10(deviceType, () => get(manager, deviceType, versionOrRange, options)),
    cleanCache: () => manager.cleanCache(),
    resolveVersion: (deviceType, versionOrRange) =>
      inWordsOfVersion10(deviceType, () => manager.resolve(deviceType, versionOrRange ?? "latest")),
    isESR,
    validateVersion,
  };
}

async function get(
  manager: ImageManager,
  deviceType: string,
  versionOrRange: string | null | undefined,
  options: DropInOptions | null | undefined,
): Promise<ImageReadable> {
  const progress = createProgressRelay();
  const image = await manager.get(deviceType, versionOrRange ?? "latest", {
    ...options,
    onProgress: progress.report,
  });
  const stream = imageReadable(image);
  // Version 10's event told of a download: callers draw their bar with the first one.
  if (image.origin === "network") progress.emitOn(stream);
  return stream;
}
