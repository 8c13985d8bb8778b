/** Reads the API's answers. An answer of another shape throws an error that does not quote it. */
import { assertDeviceType } from "../../core/device-type.ts";
import type { OsRelease } from "../balena/os-versions.ts";
import type { ReleaseAsset } from "../balena/parts.ts";

type Row = Readonly<Record<string, unknown>>;

/** The slug in an answer to a device type query; `undefined` if nothing was found. */
export function slugIn(json: unknown): string | undefined {
  const [found] = pineRows(json);
  if (found === undefined) return undefined;
  const slug = found["slug"];
  // It becomes part of URLs and keys: an API that answers anything else is not trusted with that.
  assertDeviceType(slug);
  return slug;
}

/** The releases in an answer to a host application query, of all applications, each under its real version. */
export function releasesIn(json: unknown): OsRelease[] {
  return pineRows(json).flatMap((application) => {
    const osType = tagsOf(application["application_tag"]).get("release-policy") ?? "default";
    return rows(application["owns__release"]).flatMap((release) => {
      const version = versionOf(release);
      return version === undefined ? [] : [osRelease(release, version, osType)];
    });
  });
}

/** The files of each release in an answer to a release query. */
export function assetsIn(json: unknown): ReleaseAsset[][] {
  return pineRows(json).map((release) => rows(release["release_asset"]).flatMap(assetIn));
}

/** One without an address is none that can be had. */
function assetIn(entry: Row): ReleaseAsset[] {
  const file = row(entry["asset"] ?? {});
  const [key, href, size] = [entry["asset_key"], file["href"], file["size"]];
  if (typeof key !== "string" || typeof href !== "string") return [];
  return [{ key, href, size: typeof size === "number" ? size : undefined }];
}

function osRelease(release: Row, version: string, osType: string): OsRelease {
  return {
    raw_version: version,
    is_final: release["is_final"] === true,
    phase: textIn(release, "phase"),
    known_issue_list: textIn(release, "known_issue_list"),
    created_at: textIn(release, "created_at"),
    osType,
  };
}

/**
 * A release without a version can't be asked for, and is no reason to do without the others. Versions such as `2021.10.2.prod` are no semver, so the API files them under `0.0.0-<id>` and tells the real one by
 * tags; one without a version tag has none that could be asked for (as in the SDK).
 */
function versionOf(release: Row): string | undefined {
  const raw = release["raw_version"];
  if (typeof raw !== "string") return undefined;
  if (!raw.startsWith("0.0.0")) return raw;
  const tags = tagsOf(release["release_tag"]);
  const version = tags.get("version");
  const named = tags.get("variant");
  const variant = named === undefined ? textIn(release, "variant") : (shortVariants.get(named) ?? named);
  return version && variant ? `${version}.${variant}` : version;
}

const shortVariants = new Map([
  ["production", "prod"],
  ["development", "dev"],
]);

function tagsOf(value: unknown): Map<string, string> {
  return new Map(rows(value).map((tag) => [String(tag["tag_key"]), String(tag["value"])]));
}

function pineRows(json: unknown): Row[] {
  return rows(row(json)["d"]);
}

function rows(value: unknown): Row[] {
  if (!Array.isArray(value)) throw new Error("a list was expected");
  return value.map(row);
}

function row(value: unknown): Row {
  if (typeof value === "object" && value !== null) return value as Row;
  throw new Error("an object was expected");
}

function textIn(of: Row, field: string): string | undefined {
  const value = of[field];
  return typeof value === "string" ? value : undefined;
}
