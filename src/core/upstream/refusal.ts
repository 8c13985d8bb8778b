/** The error for a status with which the upstream refuses an image's file. */

import { type ImageManagerError, UnauthorizedError, UpstreamError, VersionNotFoundError } from "../errors.ts";
import type { ResolvedImage } from "../types.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { quoting } from "./server-words.ts";

/** `words`: the upstream's own words. */
export function errorOfStatus(
  image: ResolvedImage,
  response: Response,
  words: string | undefined,
): ImageManagerError {
  const { status } = response;
  const what = described(image);
  const said = quoting(words);
  if (status === 401 || status === 403) {
    return new UnauthorizedError(
      `The upstream refused to deliver ${what} (HTTP ${status}), check the token${said}`,
      status,
    );
  }
  if (status === 404 || status === 410) {
    const { deviceType, version } = image;
    const message = `The upstream does not deliver ${what} (HTTP ${status})${said}`;
    return new VersionNotFoundError(deviceType, version, undefined, { message });
  }
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), response.headers.get("date"));
  return new UpstreamError(`The upstream answered ${what} with HTTP ${status}${said}`, {
    status,
    retryAfterMs,
  });
}

/** With what can be refused of it, though the version is there: a fleet, an image type, a file type. */
function described({ deviceType, version, variant }: ResolvedImage): string {
  const { imageType, appId, fileType } = variant;
  const traits = [
    ...(fileType === undefined ? [] : [fileType]),
    ...(imageType === undefined ? [] : [`imageType "${imageType}" (leave it out if it is the default one)`]),
    ...(appId === undefined ? [] : [`the fleet of "appId"`]),
  ];
  return [`${deviceType} ${version}`, ...traits].join(", ");
}
