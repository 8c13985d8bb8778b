/**
 * Images from a balena API, with plain `fetch`. Use it if the SDK is too heavy, for example on the edge.
 *
 * @module balena-image-manager/adapters/balena-api
 */
import { type BalenaSource, sourceOver } from "../balena/look-ups.ts";
import { apiClient } from "./client.ts";
import { type BalenaApiSourceOptions, checkedOptions } from "./options.ts";

export type { BalenaApiSourceOptions, BalenaSource };

/**
 * Creates a source for a balena API that needs only `fetch`. It offers the same as `balenaSdkSource`, but without the SDK. It sends nothing
 * before the first call.
 *
 * Each look-up is one request without retries. If a look-up with a token finds nothing, a second request asks whether the API accepts the
 * token. The manager limits the time of look-ups (`lookUpTimeoutMs`). Answers of more than 64 MiB are refused. Redirects are refused, so that
 * no token leaves the API's origin. Errors contain no token.
 *
 * @throws `INVALID_ARGUMENT` if an option is wrong.
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
export function balenaApiSource(options: BalenaApiSourceOptions = {}): BalenaSource {
  const checked = checkedOptions(options);
  return sourceOver(apiClient(checked), checked.configure);
}
