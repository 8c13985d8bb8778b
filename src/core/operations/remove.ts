/** `remove`: deletes one image and its broken transfers from the cache. */
import type { ManagerContext } from "../context.ts";
import { findCachedId } from "../lookup/find-cached.ts";
import { evict, type Leaving } from "../retention/evict.ts";
import { isLeased, runningIds } from "../retention/needed.ts";
import type { Inventory } from "../store/inventory.ts";
import { imageKey } from "../store/keys.ts";
import type { ImageVariant } from "../types.ts";

/** See {@link ImageManager.remove}. */
export async function remove(
  context: ManagerContext,
  deviceType: string,
  version: string,
  variant?: ImageVariant,
): Promise<boolean> {
  const id = await findCachedId(context, deviceType, version, variant);
  if (id === undefined) return false;
  return context.serially(async () => {
    const inventory = await context.inventory();
    const leaving = leavingOf(context, inventory, id);
    await evict(context, inventory, leaving, "remove");
    const isUnreadable = inventory.unreadable.includes(id);
    if (isUnreadable) await context.store.remove(imageKey(id));
    return isUnreadable || leaving.length > 0;
  });
}

/** A transfer that is under way goes on. */
function leavingOf(context: ManagerContext, inventory: Inventory, id: string): Leaving[] {
  const isLeft = inventory.journalIds.includes(id) && !runningIds(context).has(id);
  const isPartial = isLeft && !isLeased(context, inventory, id);
  return [...(inventory.images.has(id) ? [{ id }] : []), ...(isPartial ? [{ id, isPartial }] : [])];
}
