/** Finds the chunks that are needed: by stored images, by unfinished transfers, and by this process's reads and writes. */
import type { ManagerContext } from "../context.ts";
import { chunkIdOf } from "../store/chunk-ids.ts";
import type { Partials } from "../store/inventory.ts";

/** Those that this process reads or has written. The same bytes may be on their way in a transfer that is not stored. */
export function chunksInUse(
  { reading, running }: Pick<ManagerContext, "reading" | "running">,
  except?: object,
): Set<number> {
  const inUse = new Set<number>();
  const add = (digests: Iterable<string | null>) => {
    for (const digest of digests) if (digest !== null) inUse.add(chunkIdOf(digest));
  };
  for (const { chunks } of reading.keys()) add(chunks);
  for (const transfer of running) if (transfer !== except) add(transfer.written.keys());
  return inUse;
}

/** Ids that this process reads or writes. */
export function idsInUse(context: ManagerContext): Set<string> {
  return new Set([...context.reading.values(), ...runningIds(context)]);
}

/** Ids that this process writes. */
export function runningIds({ running }: ManagerContext): Set<string> {
  return new Set([...running].map(({ options }) => options.id));
}

/** Longer than any pause of a heartbeat, and any difference of clocks. A process that is wrongly taken for dead loses only its commit. */
const leaseGraceMs = 60_000;

/** Whether some process seems to be transferring an image. */
export function isLeased({ now, lease }: ManagerContext, { leasedAt }: Partials, id: string): boolean {
  const ageMs = Math.abs(now() - (leasedAt.get(id) ?? Number.NEGATIVE_INFINITY));
  return ageMs < Math.max(leaseGraceMs, 6 * lease.ttlMs);
}
