/**
 * Writes files into an image's boot partition while the image is delivered: a fleet's config.json, Wi-Fi, the keys of a device. It needs
 * only the web platform.
 *
 * @module balena-image-manager/boot-files
 */
import type { ImageEdit } from "../../core/types.ts";
import { openBootPartition } from "./boot-partition.ts";
import { editedSpans } from "./edit.ts";
import { type BootFile, type BootFilesOptions, checkedFiles, checkedOptions } from "./options.ts";
import { type WifiOptions, wifiConnection } from "./wifi.ts";

export { type BootFile, type BootFilesOptions, type WifiOptions, wifiConnection };

/**
 * Creates an edit that writes files into an image's boot partition: FAT12, FAT16 or FAT32, in an MBR or GPT table. It creates missing
 * directories and replaces existing files. All time stamps are 1 January 1980, so that the same files in the same image always give the
 * same bytes.
 *
 * An object for `config.json` is merged into the image's own file key by key. A text replaces the file.
 *
 * @param files - Contents by path, for example `{ "config.json": { … } }`. At most 1,000 files and 64 MiB.
 * @throws `INVALID_ARGUMENT` if a file can't have such a path or content. The edit itself rejects with `EDIT`, whose `reason` is
 *   `no-boot-partition`, `damaged` or `full`.
 *
 * @example
 * ```ts
 * import { bootFiles } from "balena-image-manager/boot-files";
 *
 * const edit = bootFiles({ "config.json": { developmentMode: true, hostname: "station-7" } });
 * ```
 */
export function bootFiles(
  files: Readonly<Record<string, BootFile>>,
  options: BootFilesOptions = {},
): ImageEdit {
  const checked = checkedFiles(files);
  const { partition } = checkedOptions(options);
  return (image) => editedSpans(image, (patched) => openBootPartition(patched, partition), checked);
}
