/**
 * Images from a balena API, with the login of the balena SDK.
 *
 * @module balena-image-manager/adapters/balena-sdk
 */
import { checkedConfigure } from "../balena/configure.ts";
import { type BalenaSource, sourceOver } from "../balena/look-ups.ts";
import { apiClient } from "../balena-api/client.ts";
import { type BalenaSdkSourceOptions, sdkConnection } from "./connection.ts";
import { tokenReader } from "./token.ts";

export type { BalenaSdk } from "./sdk.ts";
export type { BalenaSdkSourceOptions, BalenaSource };

/**
 * Creates a source that uses the login of the balena SDK. The SDK stores and renews the token. The SDK does not send the requests, because
 * its requests can't be stopped, have no size limit and lose errors. Look-ups are sent as `balenaApiSource` sends them, and the manager
 * downloads the images. So the SDK's interceptors do not see these requests. Nothing is sent or read before the first call.
 *
 * Errors contain no token.
 *
 * @throws `INVALID_ARGUMENT` if options are wrong or exclude each other. Calls reject with it if `balena-sdk` is not installed.
 *
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 *
 * const images = createImageManager({ source: balenaSdkSource(), storage: memoryAdapter() });
 * console.log(await images.resolve("raspberrypi4-64", "latest"));
 * ```
 */
export function balenaSdkSource(options: BalenaSdkSourceOptions = {}): BalenaSource {
  const configure = checkedConfigure(options.configure);
  const connection = sdkConnection(options);
  const client = apiClient({
    apiOrigin: connection.apiOrigin,
    token: tokenReader(connection),
    fetch: (...request) => fetch(...request),
  });
  return sourceOver(client, configure);
}
