/** Facts of a manager that the HTTP handler needs and the public interface does not have. */
import type { ImageIdentity } from "./identity.ts";
import type { ImageManager, ImageVariant, ResolveOptions } from "./types.ts";

/** Facts about one manager. */
export interface ManagerFacts {
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
}

// Registered, so that a handler of the CJS copy understands a manager of the ESM copy.
const key = Symbol.for("balena-image-manager.facts");

/** Adds its facts to a manager. The property is enumerable, so that a wrapper made by `{ ...manager }` keeps them. */
export function withFacts(manager: ImageManager, facts: ManagerFacts): ImageManager {
  return Object.assign(manager, { [key]: facts });
}

/** The facts of a manager; `undefined` for one that `createImageManager` has not made. */
export function factsOf(manager: ImageManager): ManagerFacts | undefined {
  return (manager as { [key]?: ManagerFacts })[key];
}
