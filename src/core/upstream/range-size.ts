/** How a large part is cut into ranges. */

const MiB = 1024 * 1024;

/** Bytes that may come before their turn: half of the default `memoryBytes`. */
const aheadBytes = 32 * MiB;
/** So many that asking for a range costs little against reading it, also where the server is far. */
const [leastBytes, mostBytes] = [1 * MiB, 4 * MiB];
/** A range may be late: so many for each connection, the late one included, are on their way or there already. */
export const rangesPerConnection = 2;

/** Bytes of one range; `undefined` for a part that comes whole: there is one connection, or the part is small. */
export function rangeBytesOf(wireBytes: number, connections: number): number | undefined {
  const share = Math.floor(aheadBytes / (rangesPerConnection * connections));
  const bytes = Math.min(mostBytes, Math.max(leastBytes, share));
  return connections > 1 && wireBytes > 2 * bytes ? bytes : undefined;
}
