/** Keeps the store within `maxBytes`: images, broken transfers, and bytes that are being written. */
import type { ManagerContext } from "../context.ts";
import { type Content, contentOf } from "../store/content.ts";
import type { Manifest } from "../store/manifest.ts";
import type { EvictionReason } from "../types.ts";
import { chooseEvictions, type RoomLimits, sparedBytes, type Tenant } from "./accounting.ts";
import { chooseConfirmed } from "./confirm.ts";
import { writtenContent } from "./content.ts";
import { evict } from "./evict.ts";
import { idsInUse, isLeased, runningIds } from "./needed.ts";
import { ledgerImageOf, lookAtStock, type Stock, takeStock } from "./stock.ts";

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
  const isSpared = (tenant: Tenant) => tenant.isSpared || (victims === "partials" && !tenant.isPartial);
  const tenants = (stock: Stock) =>
    tenantsOf(context, stock).map((tenant) => ({ ...tenant, isSpared: isSpared(tenant) }));
  return shrinkTo(context, await lookAtRoom(context), tenants, maxBytes - bytes);
}

/** Makes room for the very chunks of an image; `false` if there is none to be made. Its own older copy does not count. */
export async function makeRoomFor(context: ManagerContext, id: string, manifest: Manifest): Promise<boolean> {
  if (context.maxBytes === undefined) return true;
  const image = ledgerImageOf(manifest, contentOf(manifest));
  const withImage = (stock: Stock): Stock => ({ ...stock, images: new Map([...stock.images, [id, image]]) });
  const tenants = (stock: Stock) => tenantsOf(context, withImage(stock));
  return shrinkTo(context, withImage(await lookAtRoom(context)), tenants, context.maxBytes);
}

/** Whether a transfer may write a chunk of so many bytes now. If so, they count as written. */
export async function admit(context: ManagerContext, bytes: number, victims: Victims): Promise<boolean> {
  if (take(context, bytes)) return true;
  return context.serially(async () => {
    // More than the one chunk, or each one would cost a look at what is stored.
    const block = Math.max(bytes, Math.min(blockChunks * context.chunkBytes, (context.maxBytes ?? 0) / 16));
    if (!(await makeRoom(context, block, victims))) await makeRoom(context, bytes, victims);
    return take(context, bytes);
  });
}

const blockChunks = 16;

function take({ maxBytes, room }: ManagerContext, bytes: number): boolean {
  if (maxBytes !== undefined && !(room.usedBytes + bytes <= maxBytes)) return false;
  room.usedBytes += bytes;
  return true;
}

/** What had ended before the look is in it. What this process writes is known without reading it. */
async function lookAtRoom(context: ManagerContext): Promise<Stock> {
  const { justWritten } = context.room;
  const before = [...justWritten];
  const written = [...context.running].filter((transfer) => transfer.written.size > 0);
  const ours = new Set(written.map(({ options }) => options.id));
  const stock = await lookAtStock(context, (id) => ours.has(id));
  for (const content of before) justWritten.delete(content);
  return stock;
}

/** Evicts what the limits want to go. Says what went and the bytes that this freed. The stock must be what was found by reading everything. */
export async function shrink(
  context: ManagerContext,
  stock: Stock,
  limits: RoomLimits,
  reason: EvictionReason,
): Promise<{ evicted: readonly Tenant[]; freedBytes: number }> {
  const { evicted, bytesBefore } = chooseEvictions(tenantsOf(context, stock), limits, context.now());
  context.room.usedBytes = bytesBefore;
  return { evicted, freedBytes: await evict(context, stock, evicted, reason) };
}

/** Nothing is evicted for what does not fit in the end. */
async function shrinkTo(
  context: ManagerContext,
  stock: Stock,
  tenantsIn: (stock: Stock) => readonly Tenant[],
  maxBytes: number,
): Promise<boolean> {
  const tenants = tenantsIn(stock);
  const mayFit = sparedBytes(tenants) <= maxBytes;
  const plan = mayFit
    ? await chooseConfirmed(context, tenants, maxBytes)
    : chooseEvictions(tenants, { maxBytes }, context.now());
  context.room.usedBytes = plan.bytesBefore;
  if (plan.bytesLeft <= maxBytes) await evict(context, stock, plan.evicted, "maxBytes");
  else if (!mayFit || !(await shrinkByInventory(context, tenantsIn, maxBytes))) return false;
  return true;
}

/** The images that could be looked at were too few. This reads all of them, and puts the ledger right. */
async function shrinkByInventory(
  context: ManagerContext,
  tenantsIn: (stock: Stock) => readonly Tenant[],
  maxBytes: number,
): Promise<boolean> {
  const stock = await takeStock(context);
  const { evicted, bytesBefore, bytesLeft } = chooseEvictions(tenantsIn(stock), { maxBytes }, context.now());
  context.room.usedBytes = bytesBefore;
  if (bytesLeft > maxBytes) return false;
  await evict(context, stock, evicted, "maxBytes");
  return true;
}

function tenantsOf(context: ManagerContext, { images, ...partials }: Stock): Tenant[] {
  const inUse = idsInUse(context);
  const now = context.now();
  const stored = [...images].map(([id, { content, usedAt, pinned }]): Tenant => {
    // A use in the future is another clock's: it must not keep an image for ever.
    return { id, content, usedAt: Math.min(now, usedAt), isSpared: pinned || inUse.has(id) };
  });
  const written = [...[...context.running].map(writtenContent), ...context.room.justWritten];
  const beingWritten = written.map((content): Tenant => ({ id: "", content, usedAt: now, isSpared: true }));
  return [...stored, ...partialsOf(context, partials), ...beingWritten];
}

function partialsOf(context: ManagerContext, partials: Omit<Stock, "images">): Tenant[] {
  const running = runningIds(context);
  return [...partials.journals].map(([id, { chunks, content, header }]) => ({
    id,
    isPartial: true,
    // What a transfer of this process has, it knows better: its journal may still name pieces that have given their room to chunks.
    content: running.has(id) ? chunks : content,
    usedAt: header.startedAt,
    isSpared: running.has(id) || isLeased(context, partials, id),
  }));
}
