/** Finds the cached image for `inspect`, `remove` and similar methods. */
import type { ManagerContext } from "../context.ts";
import { type ImageIdentity, imageId, normalizeVariant } from "../identity.ts";
import { type Manifest, readManifest } from "../store/manifest.ts";
import type { ImageVariant } from "../types.ts";
import { checkedRequest } from "./request.ts";
import { resolveCached, resolveExact } from "./resolve-image.ts";

/** A cached image. */
export interface CachedImage {
  readonly id: string;
  readonly identity: ImageIdentity;
  readonly manifest: Manifest;
}

/** Finds it without asking the upstream; `undefined` if it is not there. A store that fails is `STORE`, not an absence. */
export async function findCached(
  context: ManagerContext,
  deviceType: string,
  version: string,
  options: ImageVariant = {},
): Promise<CachedImage | undefined> {
  const { request, variant } = await asked(context, deviceType, version, options);
  const identity = await resolveCached(context, request, variant);
  if (!identity) return undefined;
  const id = await imageId(identity);
  const manifest = await readManifest(context.store, id);
  return manifest && { id, identity, manifest };
}

/** The id under which something of an image may be stored, whole or not: of an exact version that is always known. */
export async function findCachedId(
  context: ManagerContext,
  deviceType: string,
  version: string,
  options: ImageVariant = {},
): Promise<string | undefined> {
  const { request, variant } = await asked(context, deviceType, version, options);
  const exact = () => resolveExact(context, request, variant);
  let identity: ImageIdentity | undefined;
  try {
    identity = (await resolveCached(context, request, variant)) ?? (await exact());
  } catch (failure) {
    identity = await exact(); // its manifest can't be read: all the more reason to remove it
    if (!identity) throw failure;
  }
  return identity && imageId(identity);
}

async function asked(context: ManagerContext, deviceType: string, version: string, options: ImageVariant) {
  const variant = normalizeVariant(options);
  const request = await checkedRequest(context, deviceType, version, { scope: options.scope }, false);
  return { request: { ...request, isStoreNeeded: true }, variant };
}
