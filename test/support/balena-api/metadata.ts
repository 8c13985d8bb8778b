// The API's metadata endpoints, in the shapes that balena-sdk reads.
import {
  aliasesOf,
  type Catalog,
  findDeviceType,
  lineTags,
  releaseRow,
  releaseTags,
  visibleDeviceTypes,
} from "./catalog.ts";
import type { DeviceTypeFixture, ReleaseFixture } from "./fixtures.ts";
import { malformed } from "./odata.ts";
import {
  expandOptions,
  matches,
  type PineOptions,
  select,
  stringsOf,
  UnsupportedFilterError,
} from "./pine.ts";

/** What a metadata endpoint answers. */
export interface MetadataAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What the endpoints need to know. */
export interface MetadataContext {
  readonly catalog: Catalog;
  readonly authorized: boolean;
  /** The account's token, for its renewal. */
  readonly token: string;
  /** Size of an image's `.gz` file, or what the size endpoint is told to say. */
  readonly downloadBytes: (slug: string, version: string) => Promise<number>;
}

type Row = Record<string, unknown>;
const notFound: MetadataAnswer = { status: 404, body: "Not Found" };
const unauthorized: MetadataAnswer = { status: 401, body: "Unauthorized" };
const account = {
  id: 4711,
  actorType: "user",
  actorTypeId: 42,
  username: "tester",
  email: "tester@example.com",
};

/** Answers a request of any endpoint but `/download`. */
export async function answerMetadata(url: URL, context: MetadataContext): Promise<MetadataAnswer> {
  try {
    return await route(url, context);
  } catch (error) {
    if (error instanceof UnsupportedFilterError)
      return { status: 400, body: `Unsupported filter: ${error.message}` };
    throw error;
  }
}

function route(url: URL, context: MetadataContext): MetadataAnswer | Promise<MetadataAnswer> {
  const options: PineOptions = new Map(url.searchParams);
  // Version 10's SDK speaks v6; both have these rows in one shape.
  const [, root, resource] = /^(\/v[67])\/(\w+)$/.exec(url.pathname) ?? [];
  const complaint = root && malformed(`${url.pathname}${url.search}`.slice(root.length));
  if (complaint) return { status: 400, body: complaint };
  if (resource === "application") return pine(applications(options, context));
  if (resource === "device_type") return pine(deviceTypes(options, context));
  if (url.pathname === "/actor/v1/whoami") return context.authorized ? ok(account) : unauthorized;
  if (url.pathname === "/user/v1/refresh-token") return context.authorized ? ok(context.token) : unauthorized;
  if (url.pathname === "/ping") return ok("OK");
  const [, type, version] =
    /^\/device-types\/v1(?:\/([^/]+)(?:\/images\/([^/]+)\/download-size)?)?$/.exec(url.pathname) ?? [];
  if (version !== undefined)
    return downloadSize(decodeURIComponent(type!), decodeURIComponent(version), context);
  if (type !== undefined) return deviceTypeJson(decodeURIComponent(type), context);
  if (url.pathname !== "/device-types/v1") return notFound;
  return ok(visibleDeviceTypes(context.catalog, context.authorized).map(toDeviceTypeJson));
}

function applications(options: PineOptions, context: MetadataContext): Row[] {
  const slugs = stringsOf(options.get("$filter") ?? "", "slug");
  const types = visibleDeviceTypes(context.catalog, context.authorized).filter(
    (t) => slugs?.includes(t.slug) ?? true,
  );
  return types.flatMap((type) => hostApplications(type, options, context.catalog));
}

function hostApplications(type: DeviceTypeFixture, options: PineOptions, catalog: Catalog): Row[] {
  const expand = options.get("$expand");
  const releases = catalog.releases.filter((release) => release.deviceType === type.slug);
  const lines = (["default", "esr"] as const).filter((line) =>
    releases.some((release) => lineOf(release) === line),
  );
  return lines.map((line) => ({
    is_for__device_type: [{ slug: type.slug }],
    ...(expandOptions(expand, "application_tag") && { application_tag: lineTags(line) }),
    ...ownedReleases(
      expandOptions(expand, "owns__release"),
      catalog,
      releases.filter((r) => lineOf(r) === line),
    ),
  }));
}

function ownedReleases(options: PineOptions | undefined, catalog: Catalog, releases: ReleaseFixture[]): Row {
  if (options === undefined) return {};
  const tagged = expandOptions(options.get("$expand"), "release_tag") !== undefined;
  const rows = releases
    .map((release) => ({ release, row: releaseRow(release, catalog.releases.indexOf(release)) }))
    .filter(({ row }) => matches(row, options.get("$filter")))
    .map(({ release, row }) => ({
      ...select(row, options.get("$select")),
      ...(tagged && { release_tag: releaseTags(release) }),
    }));
  return { owns__release: rows };
}

function deviceTypes(options: PineOptions, context: MetadataContext): Row[] {
  const filter = options.get("$filter");
  const rows = visibleDeviceTypes(context.catalog, context.authorized)
    .filter((type) => filter === undefined || meetsFilter(type, filter, context.catalog))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((type) => ({
      id: context.catalog.deviceTypes.indexOf(type) + 1,
      slug: type.slug,
      name: type.name,
      logo: null,
    }));
  return rows
    .slice(0, Number(options.get("$top") ?? rows.length))
    .map((row) => select(row, options.get("$select")));
}

function meetsFilter(type: DeviceTypeFixture, filter: string, catalog: Catalog): boolean {
  const aliases = stringsOf(filter, "is_referenced_by__alias");
  if (aliases !== undefined) return aliasesOf(type).some((alias) => aliases.includes(alias));
  if (filter.startsWith("is_default_for__application/"))
    return catalog.releases.some((r) => r.deviceType === type.slug);
  const slugs = filter.startsWith("slug in ") ? stringsOf(filter, "slug") : undefined;
  return slugs?.includes(type.slug) ?? matches({ slug: type.slug, name: type.name }, filter);
}

function deviceTypeJson(name: string, context: MetadataContext): MetadataAnswer {
  const type = findDeviceType(context.catalog, name, context.authorized);
  return type === undefined ? notFound : ok(toDeviceTypeJson(type));
}

function toDeviceTypeJson(type: DeviceTypeFixture): Row {
  return { slug: type.slug, name: type.name, aliases: aliasesOf(type), yocto: { fstype: "balenaos-img" } };
}

/** The API adds up the compressed parts, whatever the imageType: the `.gz` without its 20 bytes of head and tail. It has none of an ESR line. */
async function downloadSize(
  name: string,
  version: string,
  context: MetadataContext,
): Promise<MetadataAnswer> {
  const type = findDeviceType(context.catalog, name, context.authorized);
  const release = context.catalog.releases.find(
    (r) => r.deviceType === type?.slug && r.version === version && lineOf(r) === "default",
  );
  if (type === undefined || release === undefined) return notFound;
  return ok({ size: await context.downloadBytes(type.slug, version) });
}

const lineOf = (release: ReleaseFixture) => release.line ?? "default";
const ok = (body: unknown): MetadataAnswer => ({ status: 200, body });
const pine = (rows: Row[]): MetadataAnswer => ok({ d: rows });
