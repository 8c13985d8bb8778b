/** Gives any manager the interface of version 10. */
import type { GetOptions, ImageManager } from "../../core/types.ts";
import { type ImageReadable, imageReadable } from "./image-readable.ts";
import { createProgressRelay } from "./progress.ts";
import { isESR, validateVersion } from "./versions.ts";
import { inWordsOfVersion10 } from "./wording.ts";

/** Options of the drop-in's `get`: those of version 10, and those of {@link ImageManager.get} except `onProgress` and `waitUntil`. */
export type DropInOptions = Omit<GetOptions, "onProgress" | "waitUntil">;

/** The functions that version 10 exported. */
export interface DropIn {
  /** Works as `get` of this module, with this manager. */
  get(
    deviceType: string,
    versionOrRange?: string | null,
    options?: DropInOptions | null,
  ): Promise<ImageReadable>;
  /** Deletes everything under the manager's prefix. */
  cleanCache(): Promise<void>;
  /** Works as `resolveVersion` of this module, with this manager. */
  resolveVersion(deviceType: string, versionOrRange?: string | null): Promise<string>;
  /** The same as `isESR` of this module. */
  isESR(version: string): boolean;
  /** The same as `validateVersion` of this module. */
  validateVersion(version: string): void;
}

/**
 * Gives a manager the interface of version 10. Use it for a store other than the disk, another source or other limits.
 *
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 * import { createDropIn } from "balena-image-manager/v10";
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
  // Version 10 emitted the event only for a download. Callers show their progress bar at the first event.
  if (image.origin === "network") progress.emitOn(stream);
  return stream;
}
