/** Asks a balena API for the parts of an image: one look-up of the release's assets, then their table of contents. */
import { isImageManagerError, isUpstreamUnavailable } from "../../core/errors.ts";
import type { ImageParts, ResolvedImage } from "../../core/types.ts";
import { PartsUnavailableError } from "../../core/upstream/parts-unavailable.ts";
import type { ApiClient } from "../balena-api/client.ts";
import { assetsPath } from "../balena-api/queries.ts";
import { assetsIn } from "../balena-api/rows.ts";
import { isMadeOfParts, type PartsPlace, partsIn, partsPlace, type ReleaseAsset } from "./parts.ts";

/** The parts of an image; `undefined` if the release has none, or the image is not one that lies there in parts. */
export async function partsOf(client: ApiClient, image: ResolvedImage): Promise<ImageParts | undefined> {
  const { variant, fileType, isWhole, version, deviceType, signal } = image;
  if (isWhole || fileType !== ".gz" || !isMadeOfParts(variant)) return undefined;
  const place = partsPlace(variant);
  const action = `read ${place.contents} of ${deviceType} ${version}`;
  for (let isAskedAgain = false; ; isAskedAgain = true) {
    const releases = await assetsOfReleases(client, image);
    // Two applications may have a release of that version; the one that has parts is meant.
    const assets = releases.find((release) => release.some(({ key }) => key === place.contents));
    const contents = assets?.find(({ key }) => key === place.contents);
    if (!assets || !contents) return undefined;
    try {
      const question = { action, url: contents.href, signal };
      return partsIn(await client.ask(question, (json) => json), place, assets);
    } catch (failure) {
      if (!isRefusedAddress(failure)) throw failure;
      if (isAskedAgain) throw unavailable(place, failure);
    }
  }
}

/** This is the answer of the file's address, not of the API, so it says nothing about the token. A new address may work. */
function isRefusedAddress(failure: unknown): boolean {
  const { status } = failure as { status?: number };
  return isImageManagerError(failure) && [401, 403, 404, 410].includes(status ?? 0);
}

function unavailable({ contents }: PartsPlace, cause: unknown): PartsUnavailableError {
  const message = `The upstream does not hand out ${contents}, not at a new address either`;
  return new PartsUnavailableError(message, { cause });
}

/** None if the API knows no assets: such an API still has `/download`. */
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
