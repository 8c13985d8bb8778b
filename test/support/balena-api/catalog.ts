// The rows behind the metadata endpoints: device types, host applications and releases in the shapes of the balena API.
import type { DeviceTypeFixture, ReleaseFixture } from "./fixtures.ts";

/** What the API knows; both lists may be changed while it runs. */
export interface Catalog {
  readonly deviceTypes: DeviceTypeFixture[];
  readonly releases: ReleaseFixture[];
}

type Row = Record<string, unknown>;

/** Device types that a request may see. */
export function visibleDeviceTypes(catalog: Catalog, authorized: boolean): DeviceTypeFixture[] {
  return catalog.deviceTypes.filter((type) => authorized || type.private !== true);
}

/** Finds a visible device type by slug or alias. */
export function findDeviceType(
  catalog: Catalog,
  name: string,
  authorized: boolean,
): DeviceTypeFixture | undefined {
  return visibleDeviceTypes(catalog, authorized).find((type) => aliasesOf(type).includes(name));
}

/** Finds a release that a request may see, by the device type's slug or alias and the version. */
export function findRelease(
  catalog: Catalog,
  name: string,
  version: string,
  authorized: boolean,
): ReleaseFixture | undefined {
  const type = findDeviceType(catalog, name, authorized);
  return releasesOf(catalog, type, authorized).find((release) => release.version === version);
}

/** The releases of a device type that a request may see. */
export function releasesOf(
  catalog: Catalog,
  type: DeviceTypeFixture | undefined,
  authorized: boolean,
): ReleaseFixture[] {
  if (type === undefined || (type.privateReleases && !authorized)) return [];
  return catalog.releases.filter(({ deviceType }) => deviceType === type.slug);
}

/** The slug and the other names. */
export function aliasesOf(type: DeviceTypeFixture): string[] {
  return [type.slug, ...(type.aliases ?? [])];
}

/** A release as a `release` row, without its tags. */
export function releaseRow(release: ReleaseFixture, index: number): Row {
  const created = release.createdAt ?? new Date(Date.UTC(2026, 0, 1) - index * 86_400_000).toISOString();
  return {
    id: 1000 + index,
    raw_version: isPlainSemver(release.version) ? release.version : `0.0.0-${1000 + index}`,
    variant: isPlainSemver(release.version) ? (/\b(prod|dev)$/.exec(release.version ?? "")?.[1] ?? "") : "",
    phase: release.phase ?? null,
    known_issue_list: release.knownIssues ?? null,
    is_final: release.draft !== true,
    is_invalidated: release.invalidated === true,
    status: release.status ?? "success",
    created_at: created,
    is_finalized_at__date: release.draft === true ? null : created,
  };
}

/** The release's tags: versions such as `2021.10.2.prod`, which are no semver, are upstream told by tags alone. */
export function releaseTags({ version }: ReleaseFixture): Row[] {
  if (version === null) return [];
  const parts = /^(.+)\.(prod|dev)$/.exec(version);
  if (isPlainSemver(version) || parts === null) return [{ tag_key: "version", value: version }];
  const variant = parts[2] === "prod" ? "production" : "development";
  return [
    { tag_key: "version", value: parts[1] },
    { tag_key: "variant", value: variant },
  ];
}

/** Tags of a host application: `release-policy` marks an ESR line. */
export function lineTags(line: "default" | "esr"): Row[] {
  return line === "esr" ? [{ tag_key: "release-policy", value: "esr" }] : [];
}

function isPlainSemver(version: string | null): boolean {
  return version === null || !/^\d+\.\d+\.\d+\./.test(version);
}
