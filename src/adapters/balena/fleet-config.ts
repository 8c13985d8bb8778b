/** Asks a balena API for a fleet's `config.json`. It has a new provisioning key each time. */
import { isPositiveInteger, isRecord } from "../../core/checks.ts";
import { assertDeviceType } from "../../core/device-type.ts";
import { InvalidArgumentError, isImageManagerError, VersionNotFoundError } from "../../core/errors.ts";
import type { ConfiguredImage, ImageVariant } from "../../core/types.ts";
import type { ApiClient } from "../balena-api/client.ts";

/**
 * The `config.json` of an image's fleet. The network is not told to the API, because it has no place in `config.json`.
 *
 * @throws {ImageManagerError} `INVALID_ARGUMENT`, `UNAUTHORIZED`, `VERSION_NOT_FOUND`, `UPSTREAM`.
 */
export async function fleetConfig(
  client: ApiClient,
  image: ConfiguredImage,
): Promise<Record<string, unknown>> {
  // It comes from a caller, not from the manager.
  const { deviceType, version, variant, signal } = Object(image) as ConfiguredImage;
  assertDeviceType(deviceType);
  const { appId, appUpdatePollInterval, developmentMode, ...key } = Object(variant) as ImageVariant;
  const { provisioningKeyName, provisioningKeyDescription, provisioningKeyExpiryDate } = key;
  if (!isPositiveInteger(appId))
    throw new InvalidArgumentError('A config.json needs "appId", the id of a fleet: a positive integer');
  const body = {
    ...{ appId, deviceType, version, network: "ethernet", appUpdatePollInterval, developmentMode },
    ...{ provisioningKeyName, provisioningKeyDescription, provisioningKeyExpiryDate },
  };
  const action = `make a config.json for fleet ${appId}`;
  try {
    return await client.ask({ action, path: "/download-config", body, signal }, configIn);
  } catch (failure) {
    if (!isImageManagerError(failure) || (failure as { status?: number }).status !== 404) throw failure;
    // The API says 404 for a fleet that the account may not see.
    throw new VersionNotFoundError(deviceType, version, undefined, {
      message: `${failure.message}. Check "appId" and what the account may see`,
      cause: failure,
    });
  }
}

/** Network settings that an API adds are left out, because they belong in files of their own. */
function configIn(json: unknown): Record<string, unknown> {
  if (!isRecord(json) || Array.isArray(json)) throw new Error("a configuration was expected");
  const { network: _, wifiSsid: _ssid, wifiKey: _key, ...config } = json;
  return config;
}
