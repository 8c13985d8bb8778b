/** `inspect` and `isFresh`: what the cache knows of one image, and whether that still holds. */
import type { ManagerContext } from "../context.ts";
import { isWithinMaxAge } from "../freshness/plan.ts";
import { type ImageIdentity, imageId, normalizeVariant } from "../identity.ts";
import { type Manifest, readManifest, toImageInfo } from "../store/manifest.ts";
import type { ImageInfo, ImageVariant } from "../types.ts";
import { joinTransfer } from "./open-image.ts";
import { resolveCached } from "./resolve.ts";
import { checkedRequest } from "./resolve-request.ts";

/** See {@link ImageManager.inspect}. */
export async function inspect(
  context: ManagerContext,
  deviceType: string,
  version: string,
  variant: ImageVariant = {},
): Promise<ImageInfo | undefined> {
  const found = await find(context, deviceType, version, variant);
  return found && toImageInfo(found.id, found.manifest);
}

/** See {@link ImageManager.isFresh}. */
export async function isFresh(
  context: ManagerContext,
  deviceType: string,
  version: string,
  variant: ImageVariant = {},
): Promise<boolean> {
  const found = await find(context, deviceType, version, variant);
  if (!found) return false;
  const { id, identity, manifest } = found;
  if (isWithinMaxAge(manifest.validatedAt, context.now(), context.freshness)) return true;
  const options = { id, identity, isStored: true, previous: manifest, isConditional: true };
  const { transfer, release } = joinTransfer(context, options);
  try {
    return (await transfer.opened).kind === "cached";
  } finally {
    release(); // where nobody else wants the new bytes, their transfer ends here
  }
}

async function find(
  context: ManagerContext,
  deviceType: string,
  version: string,
  options: ImageVariant,
): Promise<{ id: string; identity: ImageIdentity; manifest: Manifest } | undefined> {
  const variant = normalizeVariant(options);
  const request = await checkedRequest(context, deviceType, version, { scope: options.scope });
  const identity = await resolveCached(context, request, variant);
  if (!identity) return undefined;
  const id = await imageId(identity);
  const manifest = await readManifest(context.store, id);
  return manifest && { id, identity, manifest };
}
