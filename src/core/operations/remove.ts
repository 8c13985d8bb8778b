/** `remove`: deletes one image and its broken transfers from the cache. */
import type { ManagerContext } from "../context.ts";
import { findCachedId } from "../lookup/find-cached.ts";
import { evict, type Leaving, leavingPartial } from "../retention/evict.ts";
import { isLeased, runningIds } from "../retention/needed.ts";
import { lookAtStock, noteGone, type Stock } from "../retention/stock.ts";
import { contentOf } from "../store/content.ts";
import { imageKey } from "../store/keys.ts";
import { readManifest } from "../store/manifest.ts";
import { orPassOver } from "../store/pass-over.ts";
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
    const stock = await lookAtStock(context);
    const image = await leavingImage(context, id);
    const leaving = [...(image ? [image] : []), ...leavingTransfer(context, stock, id)];
    await evict(context, stock, leaving, "remove");
    const isUnreadable = !image && (await isThere(context, id));
    if (isUnreadable) {
      await context.store.remove(imageKey(id));
      await noteGone(context, [id]);
    }
    return isUnreadable || leaving.length > 0;
  });
}

async function leavingImage(
  { store, onUnreadable }: ManagerContext,
  id: string,
): Promise<Leaving | undefined> {
  const manifest = await orPassOver(store, onUnreadable, () => readManifest(store, id));
  return manifest && { id, content: contentOf(manifest) };
}

/** Whether there is something, readable or not. */
async function isThere({ store }: ManagerContext, id: string): Promise<boolean> {
  return (await store.read(imageKey(id)).catch(() => true)) !== undefined;
}

/** A transfer that is under way goes on. */
function leavingTransfer(context: ManagerContext, stock: Stock, id: string): Leaving[] {
  const isLeft = stock.journalIds.includes(id) && !runningIds(context).has(id);
  return isLeft && !isLeased(context, stock, id) ? [leavingPartial(stock, id)] : [];
}
