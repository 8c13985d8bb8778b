/** Finds what to suggest when no version satisfies what was asked for. */
import satisfies from "semver/functions/satisfies.js";
import toComparators from "semver/ranges/to-comparators.js";
import { compareVersions } from "./compare.ts";
import { type ParsedVersion, parseVersion } from "./parse.ts";
import { type Candidate, isEsrMajor } from "./sort.ts";
import { alternativesOf } from "./wanted.ts";

/**
 * The candidate closest to an exact version that is not there: the next in order above or below it, whichever differs less
 * in major, else in minor, patch or revision; of two equally close the newer one. It comes from the line that was asked for,
 * if that has any versions.
 */
export function nearestToVersion(ranked: readonly Candidate[], wanted: ParsedVersion): Candidate | undefined {
  return closest(lineOf(ranked, isEsrMajor(wanted.major)), [wanted]);
}

/**
 * The candidate closest to a range that none satisfies: the newest pre-release between its bounds, else the one that is
 * closest, in the sense of {@link nearestToVersion}, to any of the bounds.
 */
export function nearestToRange(ranked: readonly Candidate[], range: string): Candidate | undefined {
  const alternatives = alternativesOf(range);
  const line = lineOf(
    ranked,
    alternatives.every(({ asksForEsr }) => asksForEsr),
  );
  const isWithin = ({ parsed }: Candidate) =>
    alternatives.some((one) => satisfies(parsed.release, one.range, { includePrerelease: true }));
  return line.find(isWithin) ?? newestBuild(line, closest(line, alternatives.flatMap(boundsOf)));
}

function lineOf(ranked: readonly Candidate[], esr: boolean): readonly Candidate[] {
  const line = ranked.filter((candidate) => candidate.esr === esr);
  return line.length > 0 ? line : ranked;
}

function boundsOf({ range }: { readonly range: string }): ParsedVersion[] {
  return toComparators(range)
    .flat()
    .flatMap((comparator) => parseVersion(comparator.replace(/^[<>=]+/, "")) ?? []);
}

function closest(line: readonly Candidate[], anchors: readonly ParsedVersion[]): Candidate | undefined {
  const pairs = anchors.flatMap((anchor) =>
    neighbours(line, anchor).map((candidate) => ({ candidate, gaps: gapsBetween(candidate.parsed, anchor) })),
  );
  pairs.sort(
    (a, b) => compareGaps(a.gaps, b.gaps) || compareVersions(b.candidate.parsed, a.candidate.parsed),
  );
  return pairs[0]?.candidate;
}

function neighbours(line: readonly Candidate[], anchor: ParsedVersion): Candidate[] {
  const above = line.findLast(({ parsed }) => compareVersions(parsed, anchor) > 0);
  const below = line.find(({ parsed }) => compareVersions(parsed, anchor) <= 0);
  return [above ?? [], below ?? []].flat();
}

function gapsBetween(a: ParsedVersion, b: ParsedVersion): number[] {
  return [a.major - b.major, a.minor - b.minor, a.patch - b.patch, a.rev - b.rev].map(Math.abs);
}

function compareGaps(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((gap, index) => gap !== b[index]);
  return (a[differing] ?? 0) - (b[differing] ?? 0);
}

// A range is blind to build parts, so of one release it would have selected the newest build: suggest that one.
function newestBuild(line: readonly Candidate[], candidate: Candidate | undefined): Candidate | undefined {
  return line.find(({ parsed }) => parsed.release === candidate?.parsed.release);
}
