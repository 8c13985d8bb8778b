/** Facts of a manager that the HTTP handler needs and the public interface does not have. */
import type { ChunkDigests } from "./digest.ts";
import type { ImageIdentity } from "./identity.ts";
import type { ImageManager, ImageVariant, ResolveOptions } from "./types.ts";

/** What only the library itself asks of a manager. */
export interface ManagerInternals {
  readonly maxBytes: number | undefined;
  /** Aborted when the manager is closed. */
  readonly closing: AbortSignal;
  /** Source and scope of the images that calls without a `scope` mean. */
  owner(signal: AbortSignal): Promise<Pick<ImageIdentity, "source" | "scope">>;
  /** The image that `get` would mean. Begins no transfer. */
  identify(
    deviceType: string,
    wanted: string,
    options: ImageVariant & ResolveOptions,
  ): Promise<Omit<ImageIdentity, "variant">>;
  /** The chunks of a cached image; `undefined` if it is not cached. */
  chunksOf(
    deviceType: string,
    version: string,
    variant: ImageVariant,
  ): Promise<{ size: number; chunkBytes: number; chunks: ChunkDigests } | undefined>;
}

// Registered, so that a handler of the CJS copy understands a manager of the ESM copy.
const key = Symbol.for("balena-image-manager.internals");

/** Adds its internals to a manager. The property is enumerable, so that a wrapper made by `{ ...manager }` keeps them. */
export function withInternals(manager: ImageManager, internals: ManagerInternals): ImageManager {
  return Object.assign(manager, { [key]: internals });
}

/** The internals of a manager; `undefined` for one that `createImageManager` has not made. */
export function internalsOf(manager: ImageManager): ManagerInternals | undefined {
  return (manager as { [key]?: ManagerInternals })[key];
}
