/** What was last seen of a device type: its canonical slug and its versions. Resolution within maxAge and offline works from it. */
import { sha256HexOfText } from "../digest.ts";
import type { OsVersion } from "../types.ts";
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
  const value = (await decodeSealed(key, await store.read(key))) as Partial<CatalogEntry> | undefined;
  if (typeof value?.deviceType !== "string" || typeof value.seenAt !== "number") return undefined;
  if (value.versions !== undefined && !isVersionList(value.versions)) return undefined;
  return value as CatalogEntry;
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

/** Whether a value is a list of versions: also asked of what a source returns. */
export function isVersionList(value: unknown): value is OsVersion[] {
  if (!Array.isArray(value)) return false;
  return value.every((entry: Partial<OsVersion> | null) => {
    if (typeof entry?.version !== "string" || typeof entry.draft !== "boolean") return false;
    return entry.line === "default" || entry.line === "esr";
  });
}
