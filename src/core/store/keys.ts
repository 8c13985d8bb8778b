/** The names of all keys (format `v1`), relative to the manager's prefix. A change of format changes the `v1`. */

const format = "v1";

/** Folder of a kind of value; listing it finds all of them. */
export const folders = {
  images: `${format}:images:`,
  chunks: `${format}:chunks:`,
  leases: `${format}:leases:`,
  partials: `${format}:partials:`,
  uses: `${format}:uses:`,
  catalog: `${format}:catalog:`,
} as const;

/** Key of a manifest. */
export const imageKey = (id: string): string => `${folders.images}${id}`;

/** Key of a chunk. The two-digit level keeps directories small. */
export const chunkKey = (digest: string): string => `${folders.chunks}${digest.slice(0, 2)}:${digest}`;

/** Key of what is known about a device type: `space` tells apart sources and scopes. */
export const catalogKey = (space: string, slugOrAlias: string): string =>
  `${folders.catalog}${space}:${slugOrAlias}`;
