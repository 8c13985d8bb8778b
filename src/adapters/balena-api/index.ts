/**
 * Images from a balena API, by plain `fetch`: for where the SDK is too heavy, such as the edge.
 *
 * @module balena-image-manager/adapters/balena-api
 */
import type { ImageSource } from "../../core/types.ts";
import { sourceOver } from "../balena/look-ups.ts";
import { apiClient } from "./client.ts";
import { type BalenaApiSourceOptions, checkedOptions } from "./options.ts";

export type { BalenaApiSourceOptions };

/**
 * A source over a balena API that needs nothing but `fetch`: what `balenaSdkSource` offers, without the SDK.
 * Constructing it does no I/O.
 *
 * Each look-up is one request, asked once; where nothing is found for a token, a second one asks whether the API accepts it. The manager
 * gives each its time (`lookUpTimeoutMs`). An answer of more than 64 MiB is refused. Redirects are refused, so that no token leaves the
 * API's origin; errors carry no token.
 *
 * @throws `INVALID_ARGUMENT` for wrong options.
 *
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 *
 * const images = createImageManager({ source: balenaApiSource(), storage: memoryAdapter() });
 * console.log(await images.resolve("raspberrypi4-64", "latest"));
 * ```
 */
export function balenaApiSource(options: BalenaApiSourceOptions = {}): ImageSource {
  return sourceOver(apiClient(checkedOptions(options)));
}
