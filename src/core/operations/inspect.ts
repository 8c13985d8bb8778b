/** `inspect` and `isFresh`: what the cache knows about an image, and whether the copy is still fresh. */
import type { ManagerContext } from "../context.ts";
import { joinTransfer } from "../delivery/join-transfer.ts";
import { isWithinMaxAge } from "../freshness/plan.ts";
import { findCached } from "../lookup/find-cached.ts";
import { toImageInfo } from "../store/manifest.ts";
import type { ImageInfo, ImageVariant } from "../types.ts";

/** See {@link ImageManager.inspect}. */
export async function inspect(
  context: ManagerContext,
  deviceType: string,
  version: string,
  variant?: ImageVariant,
): Promise<ImageInfo | undefined> {
  const found = await findCached(context, deviceType, version, variant);
  return found && toImageInfo(found.id, found.manifest);
}

/** See {@link ImageManager.isFresh}. */
export async function isFresh(
  context: ManagerContext,
  deviceType: string,
  version: string,
  variant?: ImageVariant,
): Promise<boolean> {
  const found = await findCached(context, deviceType, version, variant);
  if (!found) return false;
  const { id, identity, manifest } = found;
  if (isWithinMaxAge(manifest.validatedAt, context.now(), context.freshness)) return true;
  const options = { id, identity, isStored: true, previous: manifest, isConditional: true };
  const { transfer, release } = joinTransfer(context, options);
  try {
    return (await transfer.started).kind === "cached";
  } finally {
    release(); // if nobody else wants the new bytes, their transfer ends here
  }
}
