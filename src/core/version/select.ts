/** Chooses the one version that an exact version, a range or an alias stands for. */
import satisfies from "semver/functions/satisfies.js";
import { VersionNotFoundError } from "../errors.ts";
import type { OsVersion } from "../types.ts";
import { nearestToRange, nearestToVersion } from "./nearest.ts";
import { type ParsedVersion, parseVersion } from "./parse.ts";
import { type Candidate, rankCandidates } from "./sort.ts";
import { alternativesOf, assertVersionOrRange, isAlias, type VersionAlias } from "./wanted.ts";

/** What was chosen, and what to suggest if nothing was. */
interface Choice {
  readonly chosen: Candidate | undefined;
  nearest(): Candidate | undefined;
}

/**
 * Selects one of a device type's versions.
 *
 * - An exact version selects itself, else the newest build of it (production before development at the same revision). One that
 *   ends in `prod` also selects the release that is for both.
 * - A semver range selects the newest version that satisfies it; pre-releases as semver has them, build parts ignored.
 * - `latest` selects the newest, pre-releases included, `recommended` the newest that is none, `default` the recommended
 *   one, else the latest.
 *
 * ESR lines count only for an exact version, for a range (or an alternative of one) that starts at major 2018 or above, and
 * if there is no default line. Entries that can't be parsed are ignored, drafts are not: leave them out before.
 *
 * @throws `INVALID_VERSION` for anything that {@link assertVersionOrRange} refuses.
 * @throws `VERSION_NOT_FOUND`, naming the nearest version, if none satisfies.
 *
 * @example
 * ```ts
 * selectVersion("raspberrypi4-64", versions, "^6.0.0").version; // "6.1.0"
 * ```
 */
export function selectVersion(deviceType: string, versions: readonly OsVersion[], wanted: string): OsVersion {
  assertVersionOrRange(wanted);
  const { chosen, nearest } = choose(rankCandidates(versions), wanted);
  if (chosen === undefined) throw new VersionNotFoundError(deviceType, wanted, nearest()?.entry.version);
  return chosen.entry;
}

function choose(ranked: readonly Candidate[], wanted: string): Choice {
  const exact = parseVersion(wanted);
  if (exact !== undefined) {
    return { chosen: chooseExact(ranked, exact), nearest: () => nearestToVersion(ranked, exact) };
  }
  if (isAlias(wanted)) {
    return { chosen: chooseByAlias[wanted](preferredLine(ranked)), nearest: () => ranked[0] };
  }
  return { chosen: chooseByRange(ranked, wanted), nearest: () => nearestToRange(ranked, wanted) };
}

function chooseExact(ranked: readonly Candidate[], wanted: ParsedVersion): Candidate | undefined {
  const isOne = ({ parsed }: Candidate) =>
    parsed.release === wanted.release && wanted.build.every((part) => parsed.build.includes(part));
  const found = ranked.find(({ parsed }) => parsed.canonical === wanted.canonical) ?? ranked.find(isOne);
  return found ?? (wanted.variant === "prod" ? unified(ranked, wanted) : undefined);
}

/** Newer releases are development and production in one; as `.prod` they were still asked for, and `.dev` would be another image. */
function unified(ranked: readonly Candidate[], wanted: ParsedVersion): Candidate | undefined {
  const build = wanted.build.filter((part) => part !== "prod");
  return ranked.find(
    ({ parsed }) =>
      parsed.variant === undefined &&
      parsed.release === wanted.release &&
      build.every((part) => parsed.build.includes(part)),
  );
}

const chooseByAlias: Record<VersionAlias, (line: readonly Candidate[]) => Candidate | undefined> = {
  latest: (line) => line[0],
  recommended: (line) => line.find(isFinal),
  default: (line) => line.find(isFinal) ?? line[0],
};

function chooseByRange(ranked: readonly Candidate[], range: string): Candidate | undefined {
  const alternatives = alternativesOf(range);
  const line = new Set(preferredLine(ranked));
  return ranked.find((candidate) =>
    alternatives.some(
      (one) => (one.asksForEsr || line.has(candidate)) && satisfies(candidate.parsed.release, one.range),
    ),
  );
}

/** The default line, else the ESR lines. */
function preferredLine(ranked: readonly Candidate[]): readonly Candidate[] {
  return ranked.filter(({ esr }) => esr === ranked[0]?.esr);
}

function isFinal({ parsed }: Candidate): boolean {
  return parsed.prerelease.length === 0;
}
