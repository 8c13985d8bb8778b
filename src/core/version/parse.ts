/** Reads balenaOS version strings. Only a valid one may go into a URL or a key. */
import parse from "semver/functions/parse.js";

const maxLength = 128;

/** A balenaOS version, taken apart. */
export interface ParsedVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Identifiers of the pre-release, empty for a final version. */
  readonly prerelease: ReadonlyArray<string | number>;
  /** The N of the build part `revN`, 0 without one. */
  readonly rev: number;
  readonly variant: "prod" | "dev" | undefined;
  /** All build parts as written, revision and variant among them. */
  readonly build: readonly string[];
  /** Version without build parts: all that semver orders and matches by. */
  readonly release: string;
  /** The one spelling of all that mean the same version, for example `2.60.1+rev1.prod`. It is valid semver. */
  readonly canonical: string;
}

/**
 * Parses a balenaOS version: semver, with an optional leading `v`, and the older forms that are not quite semver
 * (`2021.10.2.prod`, `2.0.0.rev1`, and `2022.01.0` with its two-digit month).
 *
 * What is valid semver is read as semver does: the `.rev1` of `2.0.0-rc1.rev1` belongs to the pre-release.
 *
 * @returns `undefined` for anything else, however hostile. A version that passes has letters, digits, `.`, `+` and `-` only.
 *
 * @example
 * ```ts
 * parseVersion("v2.60.1.dev")?.canonical; // "2.60.1+dev"
 * ```
 */
export function parseVersion(raw: string): ParsedVersion | undefined {
  // Lists come from outside. There, a version can be null, although the types say otherwise.
  if (typeof raw !== "string" || raw.length > maxLength) return undefined;
  const spelling = /^[vV]?([0-9][0-9A-Za-z.+-]*)$/.exec(raw)?.[1];
  const parsed = spelling === undefined ? null : parse(toSemver(spelling));
  if (parsed === null) return undefined;
  const { major, minor, patch, prerelease, build, version: release } = parsed;
  return { major, minor, patch, prerelease, build, release, ...readBuild(release, build) };
}

/** Writes the two-digit months of calendar versions (`2022.01.0`) as semver wants them; takes versions and ranges. */
export function shortenMonths(versionOrRange: string): string {
  return versionOrRange.replace(/(^|[ <>=~^|])(v?20\d\d)\.0(\d)(?!\d)/g, "$1$2.$3");
}

function toSemver(spelling: string): string {
  return shortenMonths(spelling).replace(
    /^(\d+\.\d+\.\d+)\.(?=(?:rev\d+|rev\d+\.prod|rev\d+\.dev|prod|dev)$)/,
    "$1+",
  );
}

function readBuild(release: string, build: readonly string[]) {
  const revPart = build.find((part) => /^rev\d{1,9}$/.test(part));
  const rev = Number(revPart?.slice("rev".length) ?? 0);
  const variant = (["dev", "prod"] as const).find((name) => build.includes(name));
  const others = build.filter((part) => part !== revPart && part !== variant);
  const parts = [rev > 0 ? `rev${rev}` : [], variant ?? [], others].flat();
  const canonical = parts.length > 0 ? `${release}+${parts.join(".")}` : release;
  return { rev, variant, canonical };
}
