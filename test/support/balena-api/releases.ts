// The rows of `/v7/release`, with tags and assets where the query expands them.
import { releaseRow, releasesOf, releaseTags, visibleDeviceTypes } from "./catalog.ts";
import type { MetadataContext } from "./metadata.ts";
import { expandOptions, matches, type PineOptions, select, splitTerms, stringsOf } from "./pine.ts";

type Row = Record<string, unknown>;

/** The releases of the device types that the filter names by `belongs_to__application/any(…)`, or of all that the request may see. */
export async function releaseRows(options: PineOptions, context: MetadataContext): Promise<Row[]> {
  const { catalog, authorized, assetRows } = context;
  const terms = splitTerms(options.get("$filter") ?? "");
  const [ofApplication, ofRelease] = [terms.filter(isNested), terms.filter((term) => !isNested(term))];
  const slugs = stringsOf(ofApplication.join(" and "), "slug");
  const types = visibleDeviceTypes(catalog, authorized).filter(({ slug }) => slugs?.includes(slug) ?? true);
  const assets = expandOptions(options.get("$expand"), "release_asset");
  const isTagged = expandOptions(options.get("$expand"), "release_tag") !== undefined;
  const found = types
    .flatMap((type) => releasesOf(catalog, type, authorized).map((release) => ({ type, release })))
    .map((one) => ({ ...one, row: releaseRow(one.release, catalog.releases.indexOf(one.release)) }))
    .filter(({ row }) => matches(row, ofRelease.join(" and ") || undefined));
  return Promise.all(
    found.map(async ({ type, release, row }) => ({
      ...select(row, options.get("$select")),
      ...(isTagged && { release_tag: releaseTags(release) }),
      ...(assets && { release_asset: pick(await assetRows(type, release), assets) }),
    })),
  );
}

function pick(rows: Row[], options: PineOptions): Row[] {
  return rows
    .filter((row) => matches(row, options.get("$filter")))
    .map((row) => select(row, options.get("$select")));
}

const isNested = (term: string) => term.startsWith("belongs_to__application/");
