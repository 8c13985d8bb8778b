/** What the HTTP handler must know of a manager and the public interface does not say. */
import type { ManagerContext } from "./context.ts";
import { type ImageIdentity, normalizeVariant } from "./identity.ts";
import { resolveImage } from "./operations/resolve.ts";
import { checkedRequest } from "./operations/resolve-request.ts";
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
export function withFacts(manager: ImageManager, context: ManagerContext): ImageManager {
  const { maxBytes, closing, source } = context;
  const facts: ManagerFacts = {
    maxBytes,
    closing,
    owner: async (signal) => ({ source: source.id, scope: (await source.scope(signal)) ?? null }),
    identify: async (deviceType, wanted, options) => {
      const request = await checkedRequest(context, deviceType, wanted, options);
      return (await resolveImage(context, request, normalizeVariant(options), "default")).identity;
    },
  };
  return Object.assign(manager, { [key]: facts });
}

/** The facts of a manager; `undefined` for one that `createImageManager` has not made. */
export function factsOf(manager: ImageManager): ManagerFacts | undefined {
  return (manager as { [key]?: ManagerFacts })[key];
}
