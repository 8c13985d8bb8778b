/** The order of balenaOS versions: semver's, refined by what semver ignores. */
import compare from "semver/functions/compare.js";
import type { ParsedVersion } from "./parse.ts";

/**
 * Compares two versions for sorting, oldest first: by semver precedence, then by revision as a number (rev10 after rev2),
 * then dev before none before prod, so that the last of equal releases is the one to prefer.
 *
 * The order is total: 0 means that both have the same canonical spelling.
 *
 * @returns Below 0 if `a` comes first, above 0 if `b` does.
 *
 * @example
 * ```ts
 * const sorted = versions.toSorted(compareVersions);
 * ```
 */
export function compareVersions(a: ParsedVersion, b: ParsedVersion): number {
  return (
    compare(a.release, b.release) ||
    a.rev - b.rev ||
    variantRank(a) - variantRank(b) ||
    compareText(a.canonical, b.canonical)
  );
}

function variantRank({ variant }: ParsedVersion): number {
  if (variant === undefined) return 1;
  return variant === "prod" ? 2 : 0;
}

// By code units, not by locale: the order must be the same on every machine.
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
