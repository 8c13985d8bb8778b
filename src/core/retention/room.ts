/** Keeps the store within `maxBytes`: images, broken transfers, and bytes that are being written. */
import type { ManagerContext } from "../context.ts";
import { type Inventory, storedImage } from "../store/inventory.ts";
import type { Manifest } from "../store/manifest.ts";
import type { EvictionReason } from "../types.ts";
import { type Content, chooseEvictions, type RoomLimits, type Tenant } from "./accounting.ts";
import { contentOf, writtenContent } from "./content.ts";
import { evict } from "./evict.ts";
import { idsInUse, isLeased, runningIds } from "./needed.ts";

/** How much is stored, as far as this manager knows: what its last look found, and what it has written since. */
export interface Room {
  /** `NaN` before the first look. */
  usedBytes: number;
  /** What transfers have written that ended after the last look began: it may not have seen their journals' last lines. */
  readonly justWritten: Set<Content>;
}

/** Whose room may be taken. */
export type Victims = "images and partials" | "partials";

/** Makes room for so many bytes, and says whether there is room. If there can't be, nothing is deleted. Run it under the lock. */
export async function makeRoom(context: ManagerContext, bytes: number, victims: Victims): Promise<boolean> {
  const { maxBytes } = context;
  if (maxBytes === undefined) return true;
  const inventory = await lookAtRoom(context);
  const tenants = tenantsOf(context, inventory);
  const isSpared = (tenant: Tenant) => tenant.isSpared || (victims === "partials" && !tenant.isPartial);
  return shrinkTo(
    context,
    inventory,
    tenants.map((tenant) => ({ ...tenant, isSpared: isSpared(tenant) })),
    maxBytes - bytes,
  );
}

/** Makes room for the very chunks of an image; `false` if there is none to be made. Its own older copy does not count. */
export async function makeRoomFor(context: ManagerContext, id: string, manifest: Manifest): Promise<boolean> {
  if (context.maxBytes === undefined) return true;
  const found = await lookAtRoom(context);
  const inventory: Inventory = { ...found, images: new Map([...found.images, [id, storedImage(manifest)]]) };
  return shrinkTo(context, inventory, tenantsOf(context, inventory), context.maxBytes);
}

/** Whether a transfer may write a chunk of so many bytes now. If so, they count as written. */
export async function admit(context: ManagerContext, bytes: number, victims: Victims): Promise<boolean> {
  if (take(context, bytes)) return true;
  return context.serially(async () => {
    // More than the one chunk, or each one would cost a look at all that is stored.
    const block = Math.max(bytes, Math.min(blockBytes, (context.maxBytes ?? 0) / 16));
    if (!(await makeRoom(context, block, victims))) await makeRoom(context, bytes, victims);
    return take(context, bytes);
  });
}

const blockBytes = 64 * 1024 * 1024;

function take({ maxBytes, room }: ManagerContext, bytes: number): boolean {
  if (maxBytes !== undefined && !(room.usedBytes + bytes <= maxBytes)) return false;
  room.usedBytes += bytes;
  return true;
}

/** What had ended before the look is in it. */
async function lookAtRoom(context: ManagerContext): Promise<Inventory> {
  const { justWritten } = context.room;
  const before = [...justWritten];
  const inventory = await context.inventory();
  for (const content of before) justWritten.delete(content);
  return inventory;
}

/** Evicts what the limits want to go. Says what went and the bytes that this freed. */
export async function shrink(
  context: ManagerContext,
  inventory: Inventory,
  limits: RoomLimits,
  reason: EvictionReason,
): Promise<{ evicted: readonly Tenant[]; freedBytes: number }> {
  const { evicted, bytesBefore } = chooseEvictions(tenantsOf(context, inventory), limits, context.now());
  context.room.usedBytes = bytesBefore;
  return { evicted, freedBytes: await evict(context, inventory, evicted, reason) };
}

/** Nothing is evicted for what does not fit in the end. */
async function shrinkTo(
  context: ManagerContext,
  inventory: Inventory,
  tenants: readonly Tenant[],
  maxBytes: number,
): Promise<boolean> {
  const { evicted, bytesBefore, bytesLeft } = chooseEvictions(tenants, { maxBytes }, context.now());
  context.room.usedBytes = bytesBefore;
  if (bytesLeft > maxBytes) return false;
  await evict(context, inventory, evicted, "maxBytes");
  return true;
}

function tenantsOf(context: ManagerContext, inventory: Inventory): Tenant[] {
  const inUse = idsInUse(context);
  const now = context.now();
  const images = [...inventory.images].map(([id, image]): Tenant => {
    // A use in the future is another clock's: it must not keep an image for ever.
    const usedAt = Math.min(now, Math.max(image.createdAt, inventory.usedAt.get(id) ?? 0));
    return { id, content: image, usedAt, isSpared: image.pinned || inUse.has(id) };
  });
  const written = [...[...context.running].map(writtenContent), ...context.room.justWritten];
  const beingWritten = written.map((content): Tenant => ({ id: "", content, usedAt: now, isSpared: true }));
  return [...images, ...partialsOf(context, inventory), ...beingWritten];
}

function partialsOf(context: ManagerContext, inventory: Inventory): Tenant[] {
  const running = runningIds(context);
  return [...inventory.journals].map(([id, journal]) => ({
    id,
    isPartial: true,
    // What a transfer of this process has, it knows better: its journal may still name pieces that have given their room to chunks.
    content: contentOf(running.has(id) ? { ...journal, pieces: new Map() } : journal),
    usedAt: journal.header.startedAt,
    isSpared: running.has(id) || isLeased(context, inventory, id),
  }));
}
