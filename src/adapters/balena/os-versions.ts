/** The one place that turns balena's host OS releases into {@link OsVersion}s. */
import type { OsVersion } from "../../core/types.ts";

/** What is needed of a release, in the API's own words, and the release policy of the application that owns it. */
export interface OsRelease {
  readonly raw_version: string;
  readonly is_final: boolean;
  readonly phase?: string | null | undefined;
  readonly known_issue_list?: string | null | undefined;
  readonly created_at?: string | null | undefined;
  /** The application tag `release-policy`; `esr` marks an Extended Support Release line. */
  readonly osType: string;
}

/**
 * Turns releases into versions, in the same order. One device type may have several applications: pass the releases of
 * all of them. A version that several have stands once.
 *
 * @example
 * ```ts
 * osVersions([{ raw_version: "6.1.0", is_final: true, osType: "default" }]);
 * // [{ version: "6.1.0", line: "default", draft: false }]
 * ```
 */
export function osVersions(releases: readonly OsRelease[]): OsVersion[] {
  const byVersion = new Map<string, OsVersion>();
  for (const release of releases) {
    const version = osVersion(release);
    const other = byVersion.get(version.version);
    if (other === undefined || isBetter(version, other)) byVersion.set(version.version, version);
  }
  return [...byVersion.values()];
}

function osVersion(release: OsRelease): OsVersion {
  return {
    version: release.raw_version,
    line: release.osType.toLowerCase() === "esr" ? "esr" : "default",
    draft: !release.is_final,
    ...(release.phase && { phase: release.phase }),
    ...(release.known_issue_list && { knownIssues: release.known_issue_list }),
    ...(release.created_at && { createdAt: release.created_at }),
  };
}

/** Where two applications have a version: a release rather than a draft, the default line rather than ESR. */
function isBetter(one: OsVersion, other: OsVersion): boolean {
  if (one.draft !== other.draft) return other.draft;
  return one.line === "default" && other.line === "esr";
}
