/** Makes sure of what the ledger says about an image before it is evicted: whether it is there, is pinned, and when it was used last. */
import type { ManagerContext } from "../context.ts";
import { readManifest } from "../store/manifest.ts";
import { readUse } from "../store/uses.ts";
import { orStoreFault } from "../store-fault.ts";
import { type Evictions, evictions, type Tenant } from "./accounting.ts";
import { type Corrections, noteCorrections } from "./stock.ts";

/**
 * So many images may turn out to have been used since the ledger was told. Then those that have been looked at decide among themselves: the
 * cost of an eviction does not depend on how many images are in use.
 */
const mostCorrections = 64;

/** Chooses who goes: each image is looked at before it is chosen. What was found to be otherwise is noted for the next one. */
export async function chooseConfirmed(
  context: ManagerContext,
  tenants: readonly Tenant[],
  maxBytes: number,
): Promise<Evictions> {
  const choice = evictions(tenants, { maxBytes }, context.now());
  const corrections: Corrections = new Map();
  const confirmed = new Set<string>();
  let step = choice.next();
  while (!step.done) {
    const tenant = step.value;
    const isKnown = tenant.isPartial || confirmed.has(tenant.id);
    if (!isKnown && corrections.size >= mostCorrections) step = choice.next({ ...tenant, isSpared: true });
    else step = choice.next(isKnown ? tenant : await asItIs(context, tenant, corrections));
    confirmed.add(tenant.id);
  }
  await noteCorrections(context, corrections);
  return step.value;
}

/** The image as it is now; `undefined` if it is gone. If it can't be read, it stays: in doubt nothing is deleted. */
async function asItIs(
  context: ManagerContext,
  tenant: Tenant,
  corrections: Corrections,
): Promise<Tenant | undefined> {
  const { store, now } = context;
  const { id } = tenant;
  const found = await orStoreFault(context, "read", () =>
    Promise.all([readManifest(store, id), readUse(store, id)]),
  );
  if (!found) return { ...tenant, isSpared: true };
  const [manifest, noted] = found;
  if (!manifest) {
    corrections.set(id, undefined);
    return undefined;
  }
  const usedAt = Math.min(now(), Math.max(manifest.createdAt, noted));
  if (usedAt <= tenant.usedAt && !manifest.pinned) return tenant;
  corrections.set(id, { manifest, usedAt });
  return { ...tenant, usedAt: Math.max(usedAt, tenant.usedAt), isSpared: manifest.pinned };
}
