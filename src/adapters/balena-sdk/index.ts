/**
 * Images from a balena API, by way of the balena SDK.
 *
 * @module balena-image-manager/adapters/balena-sdk
 */
import type { ImageSource } from "../../core/types.ts";
import { sourceOver } from "../balena/look-ups.ts";
import { apiClient } from "../balena-api/client.ts";
import { type BalenaSdkSourceOptions, sdkConnection } from "./connection.ts";
import { tokenReader } from "./token.ts";

export type { BalenaSdkSourceOptions };

/**
 * A source over the login of the balena SDK: the token that the SDK keeps, and renews. Look-ups are sent as by `balenaApiSource` and the
 * bytes are fetched by the core, for the SDK's own requests can't be stopped, know no bound, and lose errors. So interceptors of the SDK
 * do not see them. Constructing it does no I/O.
 *
 * Errors carry no token.
 *
 * @throws `INVALID_ARGUMENT` for options that are wrong or exclude each other.
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
export function balenaSdkSource(options: BalenaSdkSourceOptions = {}): ImageSource {
  const connection = sdkConnection(options);
  return sourceOver(
    apiClient({
      apiOrigin: connection.apiOrigin,
      token: tokenReader(connection),
      fetch: (...request) => fetch(...request),
    }),
  );
}
