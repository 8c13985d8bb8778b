/**
 * The paths of the API, the same as the balena SDK's. The API's OData parser accepts percent-encoding only for spaces, for quotes and in
 * quoted texts. So only spaces and quoted texts are encoded.
 */

/** The device type that goes by a slug or alias; a slug is an alias of its own. */
export function deviceTypePath(slugOrAlias: string): string {
  return pinePath("device_type", {
    // The SDK orders too, should a name ever be the alias of two.
    $orderby: "name asc",
    $select: "slug",
    $top: "1",
    $filter: `device_type_alias/any(dta:dta/is_referenced_by__alias eq ${quoted(slugOrAlias)})`,
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
    $filter: `is_host eq true and is_for__device_type/any(dt:dt/slug in (${quoted(slug)}))`,
  });
}

/** The files of a release of the operating system, with addresses that are good for a day. */
export function assetsPath(slug: string, version: string): string {
  const isHostOf = `a/is_host eq true and a/is_for__device_type/any(dt:dt/slug eq ${quoted(slug)})`;
  return pinePath("release", {
    $select: "id,raw_version",
    $filter: `raw_version eq ${quoted(version)} and status eq 'success' and belongs_to__application/any(a:${isHostOf})`,
    $expand: "release_asset($select=asset_key,asset)",
  });
}

function pinePath(resource: string, options: Record<string, string>): string {
  const query = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  return `/v7/${resource}?${query.join("&").replaceAll(" ", "%20")}`;
}

/** A text as a filter takes it. */
function quoted(text: string): string {
  return `'${encodeURIComponent(text.replaceAll("'", "''"))}'`;
}
