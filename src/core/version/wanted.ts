/** Reads the version that a caller wants: an alias, an exact version or a semver range. It is checked before any request. */
import minVersion from "semver/ranges/min-version.js";
import validRange from "semver/ranges/valid.js";
import { InvalidVersionError } from "../errors.ts";
import { parseVersion, shortenMonths } from "./parse.ts";
import { isEsrMajor } from "./sort.ts";

const maxLength = 256;
const aliases = ["latest", "recommended", "default"] as const;

/** A word that stands for a version. */
export type VersionAlias = (typeof aliases)[number];

/** One alternative of a range, that is what stands between its `||`. */
export interface Alternative {
  readonly range: string;
  /** It starts at an ESR version, so ESR lines are meant; any other range never reaches into them. */
  readonly asksForEsr: boolean;
}

/**
 * Checks that a value can be asked for as a version.
 *
 * @throws `INVALID_VERSION` unless it is `latest`, `recommended`, `default`, an exact version or a semver range, case-sensitive,
 * of at most 256 characters and without white space around it. An empty alternative (`^6.0.0 ||`) is refused as is `""`:
 * semver would take both for "any version".
 *
 * @example
 * ```ts
 * assertVersionOrRange("^6.0.0"); // passes
 * assertVersionOrRange("LATEST"); // throws
 * ```
 */
export function assertVersionOrRange(wanted: unknown): asserts wanted is string {
  if (typeof wanted === "string" && wanted.length <= maxLength && isWanted(wanted)) return;
  const shown = typeof wanted === "string" ? printable(wanted) : `of type ${typeof wanted}`;
  throw new InvalidVersionError(
    shown,
    `Invalid version ${typeof wanted === "string" ? `"${shown}"` : shown}: it must be an exact version such as 6.0.10+rev1, ` +
      'a semver range such as ^6.0.0, "latest", "recommended" or "default"',
  );
}

/**
 * Tells whether this names one version, as opposed to an alias or a range. `2.60.1` does, though its revision is still chosen.
 *
 * @example
 * ```ts
 * isExactVersion("2.60.1.dev"); // true
 * isExactVersion("2.60.x"); // false
 * ```
 */
export function isExactVersion(wanted: string): boolean {
  return parseVersion(wanted) !== undefined;
}

/**
 * Tells whether an exact version belongs to an Extended Support Release line, whose majors are years from 2018 on.
 *
 * @example
 * ```ts
 * isEsrVersion("2021.10.2.prod"); // true
 * isEsrVersion("6.1.0"); // false
 * ```
 */
export function isEsrVersion(version: string): boolean {
  return isEsrMajor(parseVersion(version)?.major ?? 0);
}

/** Tells aliases from versions and ranges. */
export function isAlias(wanted: string): wanted is VersionAlias {
  return (aliases as readonly string[]).includes(wanted);
}

/** Splits a valid range at its `||`. */
export function alternativesOf(range: string): Alternative[] {
  return shortenMonths(range)
    .split("||")
    .map((text) => ({ range: text, asksForEsr: isEsrMajor(minVersion(text)?.major ?? 0) }));
}

function isWanted(wanted: string): boolean {
  return isAlias(wanted) || isExactVersion(wanted) || isRange(wanted);
}

function isRange(wanted: string): boolean {
  if (!/^[0-9A-Za-z.+*^~<>=| -]+$/.test(wanted) || wanted !== wanted.trim()) return false;
  return shortenMonths(wanted)
    .split("||")
    .every((text) => text.trim() !== "" && validRange(text) !== null);
}

// It ends up in logs. So it must not be long, forge a line or turn the reading direction.
function printable(text: string): string {
  const start = text.slice(0, 64).replace(/[^ -~]/g, "?");
  return text.length > 64 ? `${start}...` : start;
}
