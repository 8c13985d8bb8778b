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
 * all of them.
 *
 * @example
 * ```ts
 * osVersions([{ raw_version: "6.1.0", is_final: true, osType: "default" }]);
 * // [{ version: "6.1.0", line: "default", draft: false }]
 * ```
 */
export function osVersions(releases: readonly OsRelease[]): OsVersion[] {
  return releases.map((release) => ({
    version: release.raw_version,
    line: release.osType.toLowerCase() === "esr" ? "esr" : "default",
    draft: !release.is_final,
    ...(release.phase && { phase: release.phase }),
    ...(release.known_issue_list && { knownIssues: release.known_issue_list }),
    ...(release.created_at && { createdAt: release.created_at }),
  }));
}
