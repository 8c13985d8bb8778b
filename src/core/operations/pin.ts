/** `pin` and `unpin`. */
import type { ManagerContext } from "../context.ts";
import { findCached } from "../lookup/find-cached.ts";
import { noteImage } from "../retention/stock.ts";
import { readManifest, writeManifest } from "../store/manifest.ts";
import type { ImageVariant } from "../types.ts";

/** See {@link ImageManager.pin} and {@link ImageManager.unpin}. */
export async function setPinned(
  context: ManagerContext,
  pinned: boolean,
  deviceType: string,
  version: string,
  variant?: ImageVariant,
): Promise<boolean> {
  const found = await findCached(context, deviceType, version, variant);
  if (!found) return false;
  return context.serially(async () => {
    const manifest = await readManifest(context.store, found.id);
    if (!manifest) return false;
    const changed = { ...manifest, pinned };
    await writeManifest(context.store, found.id, changed);
    await noteImage(context, found.id, changed);
    return true;
  });
}
