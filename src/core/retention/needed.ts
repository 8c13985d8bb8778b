/** Which chunks somebody needs: stored images, transfers that did not end, and whatever this process reads or writes. */
import type { ManagerContext } from "../context.ts";
import type { Inventory } from "../store/inventory.ts";

/** Digests of all needed chunks, not counting those that only the images in `except` need. */
export function neededChunks(
  context: ManagerContext,
  inventory: Inventory,
  except: ReadonlySet<string> = new Set(),
): Set<string> {
  const needed = new Set<string>();
  const add = (digests: Iterable<string | null>) => {
    for (const digest of digests) if (digest !== null) needed.add(digest);
  };
  for (const [id, manifest] of inventory.images) if (!except.has(id)) add(manifest.chunks);
  for (const journal of inventory.journals.values()) add(journal.digests);
  for (const manifest of context.reading.keys()) add(manifest.chunks);
  for (const transfer of context.running) add(transfer.window.digests);
  return needed;
}

/** Ids that this process reads or writes. */
export function idsInUse(context: ManagerContext): Set<string> {
  return new Set([...context.reading.values(), ...[...context.running].map(({ options }) => options.id)]);
}
