/** Keeps the chunks of the near store within a number of bytes. The ones that were not used for the longest time go first. */
import { kindOf } from "./kinds.ts";
import type { Tier } from "./options.ts";
import type { Background } from "./tiers.ts";

/** Counts what lies near, and deletes what is too much. */
export interface NearCap {
  /** A chunk was read. */
  used(key: string, bytes: number): void;
  /** A chunk was written. */
  added(key: string, bytes: number): void;
  removed(key: string): void;
  /** Whether a value of that size can lie near at all. */
  fits(bytes: number): boolean;
}

/** So much is freed at a time: looking through the store for each chunk would cost more than it saves. */
const spareShare = 1 / 16;

/** `isSpared`: chunks that the far store does not have yet. */
export function createNearCap(
  near: Tier,
  maxBytes: number,
  background: Background,
  isSpared: (key: string) => boolean,
): NearCap {
  // In the order of their last use. Other processes may add chunks, and chunks of earlier processes are there: a look at the store finds them.
  const sizes = new Map<string, number>();
  let addedBytes = Number.POSITIVE_INFINITY; // since the last look: the first chunk causes one
  let isLooking = false;

  const note = (key: string, bytes: number) => {
    sizes.delete(key);
    sizes.set(key, bytes);
  };

  const look = async () => {
    addedBytes = 0;
    isLooking = true;
    const listed = (await near.list("")).filter((key) => kindOf(key) === "chunk");
    for (const key of chooseEvictions(listed, sizes, maxBytes, isSpared)) await remove(key);
  };
  const remove = async (key: string) => {
    sizes.delete(key);
    await near.remove(key);
  };

  return {
    used: note,
    added(key, bytes) {
      note(key, bytes);
      addedBytes += bytes;
      if (addedBytes <= maxBytes * spareShare || isLooking || maxBytes === Number.POSITIVE_INFINITY) return;
      // A near store that fails is tried again with a later chunk.
      const ended = () => {
        isLooking = false;
      };
      background.run(look().finally(ended));
    },
    removed: (key) => void sizes.delete(key),
    fits: (bytes) => bytes <= maxBytes,
  };
}

/**
 * Which chunks go, the oldest first. Pure. `sizes`: those whose size is known, in the order of their last use. The others were there before
 * this process, so they are older, and are taken to be of average size. Some room is left for what comes next.
 */
export function chooseEvictions(
  listed: readonly string[],
  sizes: ReadonlyMap<string, number>,
  maxBytes: number,
  isSpared: (key: string) => boolean,
): string[] {
  const present = new Set(listed);
  const known = [...sizes].filter(([key]) => present.has(key));
  const knownBytes = known.reduce((sum, [, bytes]) => sum + bytes, 0);
  const averageBytes = known.length > 0 ? knownBytes / known.length : 0;
  const unknown = listed.filter((key) => !sizes.has(key)).map((key) => [key, averageBytes] as const);
  let excess = knownBytes + unknown.length * averageBytes - maxBytes * (1 - spareShare);
  const evicted: string[] = [];
  for (const [key, bytes] of [...unknown, ...known]) {
    if (excess <= 0) break;
    if (isSpared(key)) continue;
    evicted.push(key);
    excess -= bytes;
  }
  return evicted;
}
