/** What was last seen of a device type: its canonical slug and its versions. Resolution within maxAge and offline works from it. */
import { isDeviceType } from "../device-type.ts";
import { sha256HexOfText } from "../digest.ts";
import type { OsVersion } from "../types.ts";
import type { ByteStore } from "./byte-store.ts";
import { isOptional, isRecord, isTime } from "./checks.ts";
import { decodeSealed, encodeSealed } from "./json.ts";
import { catalogKey } from "./keys.ts";

/** A remembered answer. An alias' entry has the slug alone, the versions are under the slug. */
export interface CatalogEntry {
  readonly deviceType: string;
  readonly versions?: readonly OsVersion[] | undefined;
  /** Whether `versions` has the drafts as well. */
  readonly includesDrafts?: boolean | undefined;
  readonly seenAt: number;
}

/** The part of a catalog that one source and scope see. */
export async function catalogSpace(source: string, scope: string | undefined): Promise<string> {
  return (await sha256HexOfText(JSON.stringify([source, scope ?? null]))).slice(0, 32);
}

/** What is known under a slug or alias; garbage counts as nothing. */
export async function readCatalog(
  store: ByteStore,
  space: string,
  slugOrAlias: string,
): Promise<CatalogEntry | undefined> {
  const key = catalogKey(space, slugOrAlias);
  const value = await decodeSealed(key, await store.read(key));
  return isCatalogEntry(value) ? value : undefined;
}

/** Remembers an answer under a slug or alias. */
export async function writeCatalog(
  store: ByteStore,
  space: string,
  slugOrAlias: string,
  entry: CatalogEntry,
): Promise<void> {
  const key = catalogKey(space, slugOrAlias);
  await store.write(key, await encodeSealed(key, entry));
}

function isCatalogEntry(value: unknown): value is CatalogEntry {
  if (!isRecord(value)) return false;
  const { deviceType, versions, includesDrafts, seenAt } = value;
  const isFlag = (flag: unknown) => typeof flag === "boolean";
  // The slug goes into URLs and keys, and what goes there is refused by an error: this one would come back for ever.
  if (!isDeviceType(deviceType) || !isTime(seenAt)) return false;
  return isOptional(isVersionList, versions) && isOptional(isFlag, includesDrafts);
}

/** Whether a value is a list of versions: also asked of what a source returns. Versions that can't be parsed are never chosen. */
export function isVersionList(value: unknown): value is OsVersion[] {
  return Array.isArray(value) && value.every(isVersion);
}

function isVersion(value: unknown): value is OsVersion {
  if (!isRecord(value)) return false;
  const { version, draft, line } = value;
  return typeof version === "string" && typeof draft === "boolean" && (line === "default" || line === "esr");
}
