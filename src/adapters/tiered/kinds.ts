/** What a key holds. Each kind has its place in the tiers. */
import { chunkKey, folders, probeKey } from "../../core/store/keys.ts";

/**
 * - `chunk`: bytes of an image, named by their digest; near first
 * - `passing`: belongs to a transfer that is under way; far, and near alone if it began there
 * - `record`: all other values; far, with a copy near
 */
export type Kind = "chunk" | "passing" | "record";

const chunkPattern = new RegExp(`(?:^|:)${folders.chunks}[0-9a-f]{2}:[0-9a-f]{64}$`);
const passingPattern = new RegExp(`(?:^|:)(?:${folders.leases}|${folders.partials}|${probeKey}$)`);
const manifestPattern = new RegExp(`(?:^|:)${folders.images}[^:]+$`);

/** The kind of a key, whatever prefix it has. */
export function kindOf(key: string): Kind {
  if (chunkPattern.test(key)) return "chunk";
  return passingPattern.test(key) ? "passing" : "record";
}

/** Whether a key holds a manifest. */
export const isManifestKey = (key: string): boolean => manifestPattern.test(key);

/** Key of the chunk with a digest, in the same store as a manifest. */
export const chunkKeyNextTo = (manifestKey: string, digest: string): string =>
  prefixOf(manifestKey) + chunkKey(digest);

/** What stands before the format in a key: the manager's prefix, with its colon. */
export const prefixOf = (key: string): string => /^(?:.*?:)?(?=v1:)/.exec(key)?.[0] ?? "";

/** The near store keeps a copy of a far value under another name, so that it is not taken for a value of the site's own. */
const copySuffix = "~far";

export const copyKeyOf = (key: string): string => key + copySuffix;
export const isCopyKey = (key: string): boolean => key.endsWith(copySuffix);
/** The key of which there is a copy. */
export const keyOfCopy = (copyKey: string): string => copyKey.slice(0, -copySuffix.length);
