/** The paths that the balena SDK asks for too. Slugs and aliases have passed `assertDeviceType`, so they need no quoting. */

/** The device type that goes by a slug or alias; a slug is an alias of its own. */
export function deviceTypePath(slugOrAlias: string): string {
  return pinePath("device_type", {
    // The SDK orders too, should a name ever be the alias of two.
    $orderby: "name asc",
    $select: "slug",
    $top: "1",
    $filter: `device_type_alias/any(dta:dta/is_referenced_by__alias eq '${slugOrAlias}')`,
  });
}

/** The host applications of a device type with their tags and usable releases. */
export function versionsPath(slug: string, includeDrafts: boolean): string {
  const finality = includeDrafts ? "" : "is_final eq true and ";
  const releaseOptions = [
    "$select=raw_version,variant,phase,known_issue_list,created_at,is_final",
    "$expand=release_tag($select=tag_key,value)",
    `$filter=${finality}is_invalidated eq false and status eq 'success'`,
  ];
  return pinePath("application", {
    $select: "id",
    $expand: `application_tag($select=tag_key,value),owns__release(${releaseOptions.join(";")})`,
    $filter: `is_host eq true and is_for__device_type/any(dt:dt/slug in ('${slug}'))`,
  });
}

/** The size of a raw image. */
export function downloadSizePath(slug: string, version: string): string {
  return `/device-types/v1/${slug}/images/${encodeURIComponent(version)}/download-size`;
}

/** Percent-encoded, as the SDK does it: URLSearchParams would send a space as `+`. */
function pinePath(resource: string, options: Record<string, string>): string {
  const query = Object.entries(options).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `/v7/${resource}?${query.join("&")}`;
}
