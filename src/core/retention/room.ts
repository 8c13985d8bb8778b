/** Keeps the stored images within `maxBytes`. */
import type { ManagerContext } from "../context.ts";
import { type Inventory, readInventory } from "../store/inventory.ts";
import type { Manifest } from "../store/manifest.ts";
import { chooseEvictions, type RoomLimits, type Tenant } from "./accounting.ts";
import { evict } from "./evict.ts";
import { idsInUse } from "./needed.ts";

/** Makes room for an image of about so many bytes. Best effort: the exact count comes with the commit. */
export async function makeRoom(context: ManagerContext, bytes: number): Promise<void> {
  if (context.maxBytes === undefined) return;
  await shrink(context, await readInventory(context.store), {
    maxBytes: Math.max(0, context.maxBytes - bytes),
  });
}

/** Makes room for the very chunks of an image; `false` where there is none to be made. Its own older copy does not count. */
export async function makeRoomFor(context: ManagerContext, id: string, manifest: Manifest): Promise<boolean> {
  if (context.maxBytes === undefined) return true;
  const found = await readInventory(context.store);
  const inventory: Inventory = { ...found, images: new Map([...found.images, [id, manifest]]) };
  const tenants = tenantsOf(context, inventory);
  const { evicted, bytesLeft } = chooseEvictions(tenants, { maxBytes: context.maxBytes }, context.now());
  // Nothing is evicted for an image that does not fit in the end.
  if (bytesLeft > context.maxBytes) return false;
  await evict(
    context,
    inventory,
    evicted.map((tenant) => tenant.id),
  );
  return true;
}

/** Evicts what the limits want to go. Says which ids went and the bytes that this freed. */
export async function shrink(
  context: ManagerContext,
  inventory: Inventory,
  limits: RoomLimits,
): Promise<{ ids: string[]; freedBytes: number }> {
  const { evicted } = chooseEvictions(tenantsOf(context, inventory), limits, context.now());
  const ids = evicted.map(({ id }) => id);
  return { ids, freedBytes: await evict(context, inventory, ids) };
}

function tenantsOf(context: ManagerContext, inventory: Inventory): Tenant[] {
  const inUse = idsInUse(context);
  return [...inventory.images].map(([id, manifest]) => ({
    id,
    manifest,
    usedAt: Math.max(manifest.createdAt, inventory.usedAt.get(id) ?? 0),
    isSpared: manifest.pinned || inUse.has(id),
  }));
}
