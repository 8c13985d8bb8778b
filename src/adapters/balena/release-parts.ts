/** Asks a balena API for the parts of an image: one look-up of the release's assets, then their table of contents. */
import { isImageManagerError, isUpstreamUnavailable } from "../../core/errors.ts";
import type { ImageParts, ResolvedImage } from "../../core/types.ts";
import type { ApiClient } from "../balena-api/client.ts";
import { assetsPath } from "../balena-api/queries.ts";
import { assetsIn } from "../balena-api/rows.ts";
import { isMadeOfParts, partsIn, partsPlace, type ReleaseAsset } from "./parts.ts";

/** The parts of an image; `undefined` if the release has none, or the image is not one that lies there in parts. */
export async function partsOf(client: ApiClient, image: ResolvedImage): Promise<ImageParts | undefined> {
  const { variant, fileType, isWhole, version, deviceType, signal } = image;
  if (isWhole || fileType !== ".gz" || !isMadeOfParts(variant)) return undefined;
  const place = partsPlace(variant);
  const releases = await assetsOfReleases(client, image);
  // Two applications may have a release of that version; the one that has parts is meant.
  const assets = releases.find((release) => release.some(({ key }) => key === place.contents));
  const contents = assets?.find(({ key }) => key === place.contents);
  if (!assets || !contents) return undefined;
  const action = `read ${place.contents} of ${deviceType} ${version}`;
  const question = { action, url: contents.href, signal };
  return partsIn(await client.ask(question, (json) => json), place, assets);
}

/** None where the API knows no assets: such a one still has `/download`. */
async function assetsOfReleases(
  client: ApiClient,
  { deviceType, version, signal }: ResolvedImage,
): Promise<ReleaseAsset[][]> {
  const action = `list the files of ${deviceType} ${version}`;
  try {
    return await client.ask({ action, path: assetsPath(deviceType, version), signal }, assetsIn);
  } catch (failure) {
    if (!isImageManagerError(failure) || isUpstreamUnavailable(failure)) throw failure;
    return [];
  }
}
