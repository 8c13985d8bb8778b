/** `saveImage`: saves an image to a file. The file is complete or absent. An interrupted save is continued. */
import { carriesCredentials } from "../../../core/identity.ts";
import type { GetOptions, ImageManager } from "../../../core/types.ts";
import { takeUpDraft } from "./draft.ts";
import { checkedSaveOptions, type SaveImageOptions } from "./options.ts";
import { resumeEdited } from "./resume-edited.ts";
import { resumeSave } from "./resume-save.ts";
import { knownImage, orCancel, type SavedImage, saveWhole } from "./save-whole.ts";
import { checkedTarget } from "./target.ts";

/**
 * Saves an image to a file.
 *
 * The bytes are written to a temporary file next to the target. When the file is complete, it is renamed to the target in one step. So the
 * target is always the old file or the complete new file. A link is followed. Several chunks are written at the same time, each at its
 * place. Runs of 64 KiB or more of zeros become holes. Simultaneous calls for one path do not disturb each other; the file of the last one
 * stays.
 *
 * If a save is aborted or killed, its temporary file stays. The next save of the same image to the same path continues with it if the image
 * is in the cache. It reads the file back and renames it only if the file has the image's ETag. Otherwise the save starts again. If the
 * image is not in the cache yet, the file can't be continued, but the manager continues the download. Temporary files of other images are
 * deleted when their process has ended; if that can't be determined, an hour after their last write. If the disk fails, no temporary file stays.
 *
 * Other users may write to the directory. Only temporary files of this user are continued or deleted, and a link at `path` that another
 * user has made is refused. If an image contains credentials (`appId`, `wifiKey` and so on), only the owner can read the file (0600), even if
 * the replaced file had other permissions. Other images get the permissions of the replaced file, or the usual ones.
 *
 * @param manager - The manager that gets the image. Pieces of its stream are freed (their buffers are detached) as soon as they are written.
 * @param deviceType - A slug or an alias, as for `get`.
 * @param versionOrRange - A version or range, as for `get`. `undefined` means `latest`.
 * @param path - Path of a file in an existing directory. Devices are refused: {@link writeImage} writes to them.
 * @param options - Options of `get`, and how to write the file.
 * @throws What `get` and its stream throw. `TRUNCATED_DOWNLOAD` also if nothing proves that the download was complete. `INVALID_ARGUMENT` if
 *   the path can't be a file. `STORE` if the disk fails, with its error as `cause`: `ENOSPC` also if there is too little room at the start.
 * @example
 * ```ts
 * import { saveImage } from "balena-image-manager/node";
 *
 * const { version, size } = await saveImage(images, "raspberrypi4-64", "^6.0.0", "balena.img", {
 *   onProgress: ({ percent }) => console.log(percent),
 * });
 * ```
 */
export async function saveImage(
  manager: Pick<ImageManager, "get">,
  deviceType: string,
  versionOrRange: string | undefined,
  path: string,
  options: SaveImageOptions = {},
): Promise<SavedImage> {
  const checked = checkedSaveOptions(options);
  const target = await checkedTarget(path, isSecretImage(checked.get));
  const get = () => manager.get(deviceType, versionOrRange, checked.get);
  const image = await get();
  const left = await orCancel(image, () => takeUpDraft(target, knownImage(image)));
  if (!left) return saveWhole(image, target, checked);
  if (image.edited) return resumeEdited(image, left, checked);
  await image.cancel().catch(() => {}); // an aborted stream rejects; the next get says so
  const saved = await resumeSave(manager, image, left, checked);
  return saved ?? saveWhole(await get(), target, checked);
}

/** Options that put credentials into an image. Only the owner may read its file. */
function isSecretImage(options: GetOptions): boolean {
  return carriesCredentials(options) || options.edit !== undefined;
}
