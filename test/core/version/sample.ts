/** Reproducible random versions for the property tests. */
import type { OsVersion } from "../../../src/core/types.ts";

/** A number from 0 up to, not including, the given one. */
export type Random = (below: number) => number;

/** A small generator (mulberry32): the same seed gives the same sample everywhere. */
export function createRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A default-line version in one of the forms that upstream lists hold; small numbers, so that many meet in one release. */
export function randomVersion(random: Random): string {
  const pick = (choices: readonly string[]) => choices[random(choices.length)] ?? "";
  const release = `${random(3) + 1}.${pick(["0", "2", "10"])}.${random(3)}`;
  const prerelease = pick(["", "", "", "-1", "-2.a", "-alpha", "-beta.2", "-beta.10", "-rc1.rev1"]);
  const build = pick(["", "", "+rev1", "+rev2", "+rev10", "+rev1.prod", "+rev1.dev", "+rev2.prod", "+prod"]);
  const older = pick([".rev1", ".dev", ".prod", ".rev2.prod"]);
  return random(6) === 0 ? `${release}${older}` : `${pick(["", "v"])}${release}${prerelease}${build}`;
}

/** Lists versions as a source does. */
export function list(line: OsVersion["line"], ...versions: readonly string[]): OsVersion[] {
  return versions.map((version) => ({ version, line, draft: false }));
}
