/** How an image is requested from a balena API's `/download`. */
import type { ImageFile, ResolvedImage } from "../../core/types.ts";

/**
 * The request for an image, with the parameters that the balena SDK sends. `wifiKey`, if there is one, is part of
 * the URL: that is how balena takes it, so never log the URL.
 *
 * @param apiOrigin - Where the API is, for example `https://api.balena-cloud.com`.
 * @param token - Session token or API key; without one the request is anonymous.
 *
 * @example
 * ```ts
 * const { url, headers } = downloadRequest("https://api.balena-cloud.com", image, token);
 * const response = await fetch(url, { headers });
 * ```
 */
export function downloadRequest(apiOrigin: string, image: ResolvedImage, token?: string): ImageFile {
  return {
    url: new URL(`/download?${query(parameters(image))}`, apiOrigin),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    // A `.gz` that was asked for by name is wanted as a file; otherwise it is only how the raw image travels.
    gzip: image.fileType === ".gz" && image.variant.fileType === undefined,
  };
}

function parameters({ deviceType, version, fileType, variant }: ResolvedImage) {
  return {
    deviceType,
    version,
    // Always said: one identity, one URL.
    developmentMode: variant.developmentMode ?? false,
    fileType,
    imageType: variant.imageType,
    appId: variant.appId,
    network: variant.network,
    wifiSsid: variant.wifiSsid,
    wifiKey: variant.wifiKey,
    appUpdatePollInterval: variant.appUpdatePollInterval,
    ip: variant.ip,
    gateway: variant.gateway,
    netmask: variant.netmask,
    provisioningKeyName: variant.provisioningKeyName,
    provisioningKeyDescription: variant.provisioningKeyDescription,
    provisioningKeyExpiryDate: variant.provisioningKeyExpiryDate,
  };
}

/** Percent-encoded as the SDK does it: URLSearchParams would send a space as `+`. */
function query(values: Record<string, string | number | boolean | undefined>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join("&");
}
