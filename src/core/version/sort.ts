/** Ranks a device type's versions, the best first. Both the choice of a version and the public list use it. */
import type { OsVersion } from "../types.ts";
import { compareVersions } from "./compare.ts";
import { type ParsedVersion, parseVersion } from "./parse.ts";

// ESR versions are named after the year, the default line's count from 1.
const firstEsrMajor = 2018;

/** A version that can be chosen, with what choosing needs to know. */
export interface Candidate {
  readonly entry: OsVersion;
  readonly parsed: ParsedVersion;
  readonly esr: boolean;
}

/**
 * Sorts versions as they are preferred: the default line newest first, then the ESR lines newest first, so that the first
 * is what `latest` selects. Versions that can't be parsed can't be asked for either, and are left out.
 *
 * @example
 * ```ts
 * const [latest] = sortVersions(await source.versions("raspberrypi4-64", {}));
 * ```
 */
export function sortVersions(versions: readonly OsVersion[]): OsVersion[] {
  return rankCandidates(versions).map(({ entry }) => entry);
}

/** What {@link sortVersions} sorts, before it is reduced to the versions. */
export function rankCandidates(versions: readonly OsVersion[]): Candidate[] {
  return versions
    .flatMap((entry) => toCandidate(entry) ?? [])
    .sort((a, b) => Number(a.esr) - Number(b.esr) || compareVersions(b.parsed, a.parsed));
}

/** Tells whether a major version belongs to an ESR line. */
export function isEsrMajor(major: number): boolean {
  return major >= firstEsrMajor;
}

function toCandidate(entry: OsVersion): Candidate | undefined {
  const parsed = parseVersion(entry.version);
  return parsed && { entry, parsed, esr: entry.line === "esr" || isEsrMajor(parsed.major) };
}
