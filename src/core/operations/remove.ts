/** `remove`: takes one image out of the cache. */
import type { ManagerContext } from "../context.ts";
import { evict } from "../retention/evict.ts";
import { readInventory } from "../store/inventory.ts";
import type { ImageVariant } from "../types.ts";
import { findCached } from "./find-cached.ts";

/** See {@link ImageManager.remove}. */
export async function remove(
  context: ManagerContext,
  deviceType: string,
  version: string,
  variant?: ImageVariant,
): Promise<boolean> {
  const found = await findCached(context, deviceType, version, variant);
  if (!found) return false;
  await context.serially(async () => evict(context, await readInventory(context.store), [found.id]));
  return true;
}
