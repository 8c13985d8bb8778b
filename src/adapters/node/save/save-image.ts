/** `saveImage`: an image into a file that is whole or not there, going on with what a save that did not end has left. */
import { carriesCredentials } from "../../../core/identity.ts";
import type { GetOptions, ImageManager } from "../../../core/types.ts";
import { takeUpDraft } from "./draft.ts";
import { checkedSaveOptions, type SaveImageOptions } from "./options.ts";
import { resumeSave } from "./resume-save.ts";
import { knownImage, orCancel, type SavedImage, saveWhole } from "./save-whole.ts";
import { checkedTarget } from "./target.ts";

/**
 * Saves an image to a file.
 *
 * The bytes go to a temporary file beside the target, which then takes the target's name in one step: under that name there is
 * the old file or the whole new one, never a part. A link is followed. Several chunks are written at once, each at its place;
 * stretches of zeros (64 KiB and more) become holes. Calls for one path at once do not disturb each other; the last one's file
 * stays.
 *
 * A save that was aborted or killed leaves the temporary file, and the next save of the same image to the same path goes on with
 * it, provided that the image is in the cache: the file then gets its name only if all it holds, read back, has the
 * image's ETag, else the save starts over. While an image is still being downloaded for the first time, its file can't be
 * taken up; its download is, by the manager. Temporary files of other images are deleted, an hour after the last
 * write where nobody can tell whether their process lives. A disk that fails leaves none.
 *
 * The directory may be one that others write to: only temporary files of this user are taken up or deleted, and a link at `path` that
 * another user has made is refused. The file of an image that carries credentials (`appId`, `wifiKey`, …) is its owner's alone (0600),
 * also where it replaces one that was not; others get the permissions of the old file, or the usual ones.
 *
 * @param manager - Where the image comes from. Pieces of its stream are freed (their buffers detached) as soon as they are written.
 * @param deviceType - As for `get`.
 * @param versionOrRange - As for `get`; `undefined` means `latest`.
 * @param path - A file in an existing directory. Devices are refused: they have no name to take over.
 * @throws As `get` and its stream; `TRUNCATED_DOWNLOAD` also where nothing proves that the download was complete; `INVALID_ARGUMENT` for a path that can't be a file; `STORE` where the disk fails, with its
 *   error as `cause`: `ENOSPC` also where there is too little room from the start.
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
  await image.cancel().catch(() => {}); // one that was aborted: the next get says so
  const saved = await resumeSave(manager, image, left, checked);
  return saved ?? saveWhole(await get(), target, checked);
}

/** What makes an image somebody's: its file is for its owner alone. */
function isSecretImage(options: GetOptions): boolean {
  const { provisioningKeyName, edit } = options as Record<string, unknown>;
  return carriesCredentials(options) || provisioningKeyName !== undefined || edit !== undefined;
}
