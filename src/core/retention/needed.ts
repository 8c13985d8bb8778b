/** Which chunks somebody needs: stored images, transfers that did not end, and whatever this process reads or writes. */
import type { ManagerContext } from "../context.ts";
import type { Inventory } from "../store/inventory.ts";

/** Digests of all needed chunks. */
export function neededChunks(context: ManagerContext, inventory: Inventory): Set<string> {
  const stored = [...inventory.images.values()].map(({ chunks }) => chunks);
  return digestsOf([...stored, journaledChunks(inventory), chunksInUse(context)]);
}

/** Those of transfers that did not end. */
export function journaledChunks({ journals }: Inventory): Set<string> {
  return digestsOf([...journals.values()].map(({ digests }) => digests));
}

/** Those that this process reads or writes right now. */
export function chunksInUse({ reading, running }: ManagerContext): Set<string> {
  return digestsOf([
    ...[...reading.keys()].map(({ chunks }) => chunks),
    ...[...running].map(({ window }) => window.digests),
  ]);
}

/** Ids that this process reads or writes. */
export function idsInUse(context: ManagerContext): Set<string> {
  return new Set([...context.reading.values(), ...[...context.running].map(({ options }) => options.id)]);
}

function digestsOf(lists: readonly Iterable<string | null>[]): Set<string> {
  const digests = new Set<string>();
  for (const list of lists) for (const digest of list) if (digest !== null) digests.add(digest);
  return digests;
}
