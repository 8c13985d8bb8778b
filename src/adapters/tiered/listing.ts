/** Lists the keys of two tiers as those of one store. */
import { copyKeyOf, isCopyKey, keyOfCopy } from "./kinds.ts";
import type { Tier } from "./options.ts";
import type { Tiers } from "./tiers.ts";

/**
 * Keys that begin with a text. While the far store is away, and if nothing may be written there, they are those of the near store, with its
 * copies. If the far store fails at this very call, the call rejects: a listing that lacks keys must not look complete.
 */
export async function listTiers(tiers: Tiers, base: string): Promise<string[]> {
  const { near, far, link, farReadOnly, background } = tiers;
  const nearKeys = await near.list(base);
  const copies = nearKeys.filter(isCopyKey).map(keyOfCopy);
  const own = nearKeys.filter((key) => !isCopyKey(key));
  if (farReadOnly || link.isAway) return [...new Set([...own, ...copies])];
  const farKeys = new Set(await link.call("list", () => far.list(base), { limitMs: listLimitMs }));
  // A value that was deleted elsewhere leaves a copy.
  const stale = copies.filter((key) => !farKeys.has(key));
  if (stale.length > 0) background.run(removeCopies(near, stale));
  return [...new Set([...farKeys, ...own])];
}

/** A listing may be long. */
const listLimitMs = 60_000;

async function removeCopies(near: Tier, keys: readonly string[]): Promise<void> {
  for (const key of keys) await near.remove(copyKeyOf(key));
}
