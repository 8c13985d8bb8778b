/** Finds the cached image for `inspect`, `remove` and similar methods. */
import type { ManagerContext } from "../context.ts";
import { type ImageIdentity, imageId, isMadeEachTime, normalizeVariant, plainVariant } from "../identity.ts";
import type { Manifest } from "../store/manifest.ts";
import type { ImageVariant } from "../types.ts";
import { checkedRequest, type ResolveRequest } from "./request.ts";
import { resolveCached, resolveExact } from "./resolve-image.ts";
import { storedManifest } from "./stored-manifest.ts";

/** A cached image. */
export interface CachedImage {
  readonly id: string;
  readonly identity: ImageIdentity;
  readonly manifest: Manifest;
}

/**
 * Finds it without asking the upstream; `undefined` if it is not there. A store that fails is `STORE`, not an absence. An image that may
 * follow from a plainer one is that one, unless it is cached itself.
 */
export async function findCached(
  context: ManagerContext,
  deviceType: string,
  version: string,
  options: ImageVariant = {},
): Promise<CachedImage | undefined> {
  const { request, variants } = await checked(context, deviceType, version, options);
  for (const variant of variants) {
    const identity = await resolveCached(context, request, variant);
    const id = identity && (await imageId(identity));
    const manifest = id && (await storedManifest(context, id));
    if (manifest) return { id, identity, manifest };
  }
  return undefined;
}

/** The id under which an image may be stored, whole or in part. For an exact version, it is always known. */
export async function findCachedId(
  context: ManagerContext,
  deviceType: string,
  version: string,
  options: ImageVariant = {},
): Promise<string | undefined> {
  const { request, variants } = await checked(context, deviceType, version, options);
  const exact = () => resolveExact(context, request, variants.at(-1)!);
  let identity: ImageIdentity | undefined;
  try {
    for (const variant of variants) identity ??= await resolveCached(context, request, variant);
    identity ??= await exact();
  } catch (failure) {
    identity = await exact(); // its manifest can't be read: all the more reason to remove it
    if (!identity) throw failure;
  }
  return identity && imageId(identity);
}

async function checked(
  context: ManagerContext,
  deviceType: string,
  version: string,
  options: ImageVariant,
): Promise<{ request: ResolveRequest; variants: readonly ImageVariant[] }> {
  const variant = normalizeVariant(options);
  const request = await checkedRequest(context, deviceType, version, { scope: options.scope }, false);
  const mayFollow = context.source.canDerive && isMadeEachTime(variant);
  const variants = mayFollow ? [variant, plainVariant(variant)] : [variant];
  return { request: { ...request, isStoreNeeded: true }, variants };
}
