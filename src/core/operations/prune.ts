/** `prune`: evicts what exceeds the limits, and deletes what dead processes have left. */

import type { ManagerContext } from "../context.ts";
import { eachOf } from "../each.ts";
import { InvalidArgumentError } from "../errors.ts";
import { evict, type Leaving, leavingPartial, without } from "../retention/evict.ts";
import { isLeased, runningIds } from "../retention/needed.ts";
import { sweepOrphans } from "../retention/orphans.ts";
import { shrink } from "../retention/room.ts";
import { correctLedger, type Stock, stockOf } from "../retention/stock.ts";
import { assertCompleteListing } from "../store/complete-listing.ts";
import { decodeJson } from "../store/json.ts";
import { folders, isLeaseHeadKey } from "../store/keys.ts";
import { orPassOver } from "../store/pass-over.ts";
import type { PruneLimits, PruneReport } from "../types.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** See {@link ImageManager.prune}. */
export async function prune(context: ManagerContext, limits: PruneLimits = {}): Promise<PruneReport> {
  context.closing.throwIfAborted();
  if (typeof limits !== "object" || limits === null)
    throw new InvalidArgumentError("The limits must be an object");
  const { maxBytes = context.maxBytes, unusedForMs } = limits;
  for (const [name, value] of Object.entries({ maxBytes, unusedForMs })) {
    if (value === undefined || (typeof value === "number" && value >= 0)) continue;
    throw new InvalidArgumentError(`"${name}" must be a number from 0`);
  }
  assertCompleteListing(context.store, "prune");
  return context.serially(async () => {
    const leases = await removeOldLeases(context);
    const before = await context.ledger.read(context.store, context.onUnreadable);
    const inventory = await context.inventory();
    const found = stockOf(context, inventory);
    const old = await removeOldPartials(context, found);
    const stock = without(found, old.partials);
    const { evicted, freedBytes } = await shrink(context, stock, { maxBytes, unusedForMs }, "prune");
    const rest = without(stock, evicted);
    await correctLedger(
      context,
      { ...before, images: without({ ...rest, images: before.images }, evicted).images },
      rest,
    );
    const orphans = inventory.isUncertain ? 0 : await sweepOrphans(context, rest);
    const images = evicted.filter(({ isPartial }) => !isPartial);
    return {
      evicted: images.map(({ id }) => id),
      freedBytes: old.freedBytes + freedBytes,
      orphans,
      partials: old.partials.length + evicted.length - images.length,
      leases,
      unreadable: inventory.unreadable,
    };
  });
}

/** Journals that nobody will take up any more, those that nobody can read, and what is none. */
async function removeOldPartials(
  context: ManagerContext,
  stock: Stock,
): Promise<{ partials: readonly Leaving[]; freedBytes: number }> {
  const { journals, journalIds, strayKeys } = stock;
  const running = runningIds(context);
  const old = journalIds.filter((id) => {
    const startedAt = journals.get(id)?.header.startedAt ?? Number.NEGATIVE_INFINITY;
    return !running.has(id) && !isLeased(context, stock, id) && isOld(context, startedAt);
  });
  const partials = old.map((id) => leavingPartial(stock, id));
  const freedBytes = await evict(context, stock, partials, "prune");
  await context.store.removeMany(strayKeys);
  return { partials, freedBytes };
}

/** A day from now is as wrong as a day ago: a clock that was ahead must not keep things for ever. */
const isOld = ({ now }: ManagerContext, at: number) => Math.abs(now() - at) > dayMs;

/** A day is far beyond any TTL, so clocks that differ do no harm; and a live owner that loses its lease loses no byte. */
async function removeOldLeases(context: ManagerContext): Promise<number> {
  const { store } = context;
  const removeIfOld = async (key: string) => {
    const value = await orPassOver(store, context.onUnreadable, async () =>
      decodeJson(await store.read(key)),
    );
    const { renewedAt } = (value ?? {}) as { renewedAt?: unknown };
    const isToGo = typeof renewedAt !== "number" || isOld(context, renewedAt);
    if (isToGo) await store.remove(key);
    return isToGo;
  };
  const keys = await store.list(folders.leases);
  const leases = keys.filter((key) => !isLeaseHeadKey(key));
  const removals = await eachOf(leases, removeIfOld);
  const live = new Set(leases.filter((_, index) => !removals[index]).map(folderOf));
  // Written once: while a lease of the image lives, its age says nothing.
  const heads = keys.filter((key) => isLeaseHeadKey(key) && !live.has(folderOf(key)));
  return [...removals, ...(await eachOf(heads, removeIfOld))].filter(Boolean).length;
}

const folderOf = (key: string) => key.slice(0, key.lastIndexOf(":"));
