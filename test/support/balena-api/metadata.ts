// The API's metadata endpoints, in the shapes that balena-sdk reads.
import type { IncomingMessage } from "node:http";
import { answerAccount } from "./account.ts";
import {
  aliasesOf,
  type Catalog,
  findDeviceType,
  lineTags,
  releaseRow,
  releasesOf,
  releaseTags,
  visibleDeviceTypes,
} from "./catalog.ts";
import { deviceTypeJsonOf } from "./device-type-json.ts";
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
import { notFound, unauthorized, unknownType, unknownVersion } from "./refusals.ts";
import { releaseRows } from "./releases.ts";

/** What a metadata endpoint answers. */
export interface MetadataAnswer {
  readonly status: number;
  readonly body: unknown;
  /** It has an ETag, a weak one. */
  readonly isTagged?: boolean;
}

/** What the endpoints need to know. */
export interface MetadataContext {
  readonly catalog: Catalog;
  readonly authorized: boolean;
  /** The account's token, for its renewal. */
  readonly token: string;
  /** Size of an image's `.gz` file, or what the size endpoint is told to say. */
  readonly downloadBytes: (slug: string, version: string) => Promise<number>;
  /** The rows of a release's assets. */
  readonly assetRows: (type: DeviceTypeFixture, release: ReleaseFixture) => Promise<Row[]>;
}

type Row = Record<string, unknown>;

/** Answers a request of any endpoint but `/download`. */
export async function answerMetadata(
  url: URL,
  request: IncomingMessage,
  context: MetadataContext,
): Promise<MetadataAnswer> {
  try {
    return await route(url, request, context);
  } catch (error) {
    if (error instanceof UnsupportedFilterError)
      return { status: 400, body: `Unsupported filter: ${error.message}` };
    throw error;
  }
}

function route(url: URL, request: IncomingMessage, context: MetadataContext) {
  // Version 10's SDK speaks v6; both have these rows in one shape.
  const [, root, resource] = /^(\/v[67])\/(\w+)$/.exec(url.pathname) ?? [];
  if (root && resource) return query(url, resource, root, request.method, context);
  const answer = answerAccount(url.pathname, context, request);
  if (answer !== undefined) return answer;
  if (url.pathname === "/ping") return ok("OK");
  const [path, type, version] =
    /^\/device-types\/v1(?:\/([^/]+)(?:\/images\/([^/]+)\/download-size)?)?$/.exec(url.pathname) ?? [];
  if (path === undefined) return notFound;
  if (type === undefined)
    return ok(visibleDeviceTypes(context.catalog, context.authorized).map(deviceTypeJsonOf));
  const name = decodeURIComponent(type);
  if (!/^[\w-]+$/.test(name)) return { status: 400, body: "Invalid device type" };
  if (version !== undefined) return downloadSize(name, decodeURIComponent(version), context);
  const found = findDeviceType(context.catalog, name, context.authorized);
  return found === undefined ? unknownType(name) : ok(deviceTypeJsonOf(found));
}

/** An OData query: HEAD breaks it, and what a guest may not read is as good as not there. */
async function query(
  url: URL,
  resource: string,
  root: string,
  method: string | undefined,
  context: MetadataContext,
): Promise<MetadataAnswer> {
  if (method === "HEAD") return { status: 500, body: undefined };
  const complaint = malformed(`${url.pathname}${url.search}`.slice(root.length));
  if (complaint) return { status: 400, body: complaint };
  const options: PineOptions = new Map(url.searchParams);
  const rows = { application: applications, device_type: deviceTypes, release: releaseRows }[resource];
  if (rows === undefined) return unauthorized;
  return { ...ok({ d: await rows(options, context) }), isTagged: true };
}

function applications(options: PineOptions, context: MetadataContext): Row[] {
  const slugs = stringsOf(options.get("$filter") ?? "", "slug");
  const types = visibleDeviceTypes(context.catalog, context.authorized).filter(
    (t) => slugs?.includes(t.slug) ?? true,
  );
  return types.flatMap((type) => hostApplications(type, options, context));
}

function hostApplications(
  type: DeviceTypeFixture,
  options: PineOptions,
  { catalog, authorized }: MetadataContext,
): Row[] {
  const expand = options.get("$expand");
  const releases = releasesOf(catalog, type, authorized);
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

/** The API adds up the compressed parts, whatever the imageType: the `.gz` without its 20 bytes of head and tail. It has none of an ESR line. */
async function downloadSize(
  name: string,
  version: string,
  { catalog, authorized, downloadBytes }: MetadataContext,
): Promise<MetadataAnswer> {
  const type = findDeviceType(catalog, name, authorized);
  if (type === undefined) return unknownType(name);
  const release = releasesOf(catalog, type, authorized).find(
    (one) => one.version === version && lineOf(one) === "default",
  );
  return release === undefined
    ? unknownVersion(name, version)
    : ok({ size: await downloadBytes(type.slug, version) });
}

const lineOf = (release: ReleaseFixture) => release.line ?? "default";
const ok = (body: unknown): MetadataAnswer => ({ status: 200, body });
