/** `prune`: evicts what the limits want to go, and sweeps what dead processes left. */
import type { ManagerContext } from "../context.ts";
import { InvalidArgumentError, ListingIncompleteError } from "../errors.ts";
import { forgetJournals } from "../retention/evict.ts";
import { sweepOrphans } from "../retention/orphans.ts";
import { shrink } from "../retention/room.ts";
import { eachOf } from "../store/each.ts";
import { type Inventory, readInventory } from "../store/inventory.ts";
import { decodeJson } from "../store/json.ts";
import { folders } from "../store/keys.ts";
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
  if (!context.store.completeListing) {
    throw new ListingIncompleteError(
      "prune needs a store whose listing is complete (capabilities.completeListing)",
    );
  }
  return context.serially(async () => {
    const leases = await removeOldLeases(context);
    const partials = await removeOldPartials(context, await readInventory(context.store));
    const { ids, freedBytes } = await shrink(context, await readInventory(context.store), {
      maxBytes,
      unusedForMs,
    });
    const orphans = await sweepOrphans(context, await readInventory(context.store));
    return { evicted: ids, freedBytes, orphans, partials, leases };
  });
}

/** Journals that nobody will take up any more, and those that nobody can read. */
async function removeOldPartials(
  context: ManagerContext,
  { journals, journalIds }: Inventory,
): Promise<number> {
  const running = new Set([...context.running].map(({ options }) => options.id));
  const old = journalIds.filter((id) => {
    const startedAt = journals.get(id)?.header.startedAt ?? Number.NEGATIVE_INFINITY;
    return !running.has(id) && context.now() - startedAt > dayMs;
  });
  await forgetJournals(context, old);
  return old.length;
}

/** A day is far beyond any TTL, so clocks that differ do no harm; and a live owner that loses its lease loses no byte. */
async function removeOldLeases({ store, now }: ManagerContext): Promise<number> {
  const removeIfOld = async (key: string) => {
    const { renewedAt } = (decodeJson(await store.read(key)) ?? {}) as { renewedAt?: unknown };
    const isOld = typeof renewedAt !== "number" || now() - renewedAt > dayMs;
    if (isOld) await store.remove(key);
    return isOld;
  };
  const isHead = (key: string) => key.endsWith(":head");
  const keys = await store.list(folders.leases);
  const leases = keys.filter((key) => !isHead(key));
  const removals = await eachOf(leases, removeIfOld);
  const live = new Set(leases.filter((_, index) => !removals[index]).map(folderOf));
  // Written once: while a lease of the image lives, its age says nothing.
  const heads = keys.filter((key) => isHead(key) && !live.has(folderOf(key)));
  return [...removals, ...(await eachOf(heads, removeIfOld))].filter(Boolean).length;
}

const folderOf = (key: string) => key.slice(0, key.lastIndexOf(":"));
