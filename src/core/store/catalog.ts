/** The last known facts of a device type: its canonical slug and its versions. They resolve versions within `maxAgeMs` and off-line. */

import { isOptional, isRecord, isTime } from "../checks.ts";
import { isDeviceType } from "../device-type.ts";
import { sha256HexOfText } from "../digest.ts";
import type { OsVersion } from "../types.ts";
import { isVersionList } from "../version/version-list.ts";
import type { ByteStore } from "./byte-store.ts";
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
