/** Parts a variant into the plain image's and what is written into it. */
import { InvalidArgumentError } from "../../core/errors.ts";
import type { ImageVariant } from "../../core/types.ts";

/** The plain image, and the values that configure it. */
export interface Settings {
  readonly plain: ImageVariant;
  readonly configured: ImageVariant;
}

/** Which fields stay a question for the upstream: they choose a file. */
export function settingsOf({ imageType, fileType, scope: _, ...configured }: ImageVariant): Settings {
  return {
    plain: { ...(imageType && { imageType }), ...(fileType && { fileType }) },
    configured,
  };
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` for options of a key that nobody would make. */
export function assertFleet({ appId, ...others }: ImageVariant): void {
  const { provisioningKeyName, provisioningKeyDescription, provisioningKeyExpiryDate } = others;
  const options = [provisioningKeyName, provisioningKeyDescription, provisioningKeyExpiryDate];
  if (appId === undefined && options.some((value) => value !== undefined))
    throw new InvalidArgumentError('The options of a provisioning key need "appId"');
}
