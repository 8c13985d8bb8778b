/** The names of all keys (format `v1`), relative to the manager's prefix. A change of format changes the `v1`. */
import { bounds } from "../bounds.ts";
import { isDeviceType } from "../device-type.ts";

const format = "v1";

/** Folder of a kind of value; listing it finds all of them. */
export const folders = {
  images: `${format}:images:`,
  chunks: `${format}:chunks:`,
  leases: `${format}:leases:`,
  partials: `${format}:partials:`,
  uses: `${format}:uses:`,
  catalog: `${format}:catalog:`,
  accounts: `${format}:accounts:`,
  ledger: `${format}:ledger:`,
} as const;

/** Key of a manifest. */
export const imageKey = (id: string): string => `${folders.images}${id}`;

/** Key of a chunk. The two-digit level keeps directories small. */
export const chunkKey = (digest: string): string => `${folders.chunks}${digest.slice(0, 2)}:${digest}`;

/** Digest of the chunk under a key. */
export const digestOfChunkKey = (key: string): string => key.slice(key.lastIndexOf(":") + 1);

/** Key of an image's last use. */
export const useKey = (id: string): string => `${folders.uses}${id}`;

/** Chunks that nobody seemed to need when last looked. */
export const orphansKey = `${format}:orphans`;

/** Key of what one process did: a commit, or evictions. `name` is nobody else's. */
export const ledgerNewsKey = (name: string): string => `${folders.ledger}news:${name}`;
/** Key of one page of the sum of all records before it. The key says how many pages there are, so that a missing one is missed. */
export const ledgerPageKey = (set: string, page: number, pages: number): string =>
  `${folders.ledger}${set}:${page}:${pages}`;

/** Tests whether a store that hung answers again: by a read, or by a byte that is written and deleted. */
export const probeKey = `${format}:probe`;

/** Folder of an image's leases, one for each epoch in which somebody transferred it. */
export const leaseFolder = (id: string): string => `${folders.leases}${id}:`;
export const leaseKey = (id: string, epoch: number): string => `${leaseFolder(id)}${epoch}`;
/** Key that says which epoch was the last, if that was not the first. */
export const leaseHeadKey = (id: string): string => `${leaseFolder(id)}head`;
export const isLeaseHeadKey = (key: string): boolean => key.endsWith(":head");

/** Folder of an image's journals: `<epoch>:<segment>`, and `<epoch>:wire:<part>:<n>`. */
export const partialFolder = (id: string): string => `${folders.partials}${id}:`;
export const partialKey = (id: string, epoch: number, segment: number): string =>
  `${partialFolder(id)}${epoch}:${segment}`;

/** Key of compressed bytes of a part that is under way. The journal names it. */
export const wireKey = (
  id: string,
  { epoch, part, n }: { readonly epoch: number; readonly part: number; readonly n: number },
): string => `${partialFolder(id)}${epoch}:wire:${part}:${n}`;

/** Whether a value is bytes of an image: large, and read in its own time. */
export const isImageBytesKey = (key: string): boolean =>
  key.startsWith(folders.chunks) || (key.startsWith(folders.partials) && key.includes(":wire:"));

/** Key of what is known about a device type: `space` tells apart sources and scopes. */
export const catalogKey = (space: string, slugOrAlias: string): string =>
  `${folders.catalog}${space}:${isDeviceType(slugOrAlias) ? slugOrAlias : hexOf(slugOrAlias)}`;

/** For an alias that is not a slug, because a disk may take `ZE250` and `ze250` for the same name. */
function hexOf(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return `~${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Key of what is known about credentials that an upstream has accepted. */
export const accountKey = (digest: string): string => `${folders.accounts}${digest}`;

/** The most bytes that a value under a key may have; a larger value is not ours. */
export function maxBytesUnder(key: string): number {
  const [, maxBytes = bounds.valueBytes] =
    maxBytesByFolder().find(([folder]) => key.startsWith(folder)) ?? [];
  return maxBytes;
}

const maxBytesByFolder = (): readonly (readonly [folder: string, maxBytes: number])[] => [
  [folders.images, bounds.manifestBytes],
  [folders.chunks, bounds.chunkBytes + bounds.chunkEncodingBytes],
  [folders.leases, bounds.recordBytes],
  [folders.partials, bounds.journalSegmentBytes],
  [folders.uses, bounds.recordBytes],
  [folders.catalog, bounds.catalogBytes],
  [folders.accounts, bounds.recordBytes],
  [folders.ledger, bounds.ledgerBytes],
];
