/**
 * Images from a balena API, by plain `fetch`: for where the SDK is too heavy, such as the edge.
 *
 * @module balena-image-manager/adapters/balena-api
 */
import { assertDeviceType } from "../../core/device-type.ts";
import { DeviceTypeNotFoundError } from "../../core/errors.ts";
import type { ImageSource } from "../../core/types.ts";
import { downloadRequest } from "../balena/download.ts";
import { osVersions } from "../balena/os-versions.ts";
import { scopeOfToken } from "../balena/token.ts";
import { apiClient } from "./client.ts";
import { type BalenaApiSourceOptions, checkedOptions } from "./options.ts";
import { deviceTypePath, versionsPath } from "./queries.ts";
import { releasesIn, slugIn } from "./rows.ts";

export type { BalenaApiSourceOptions };

/**
 * A source over a balena API that needs nothing but `fetch`: what `balenaSdkSource` offers, without the SDK.
 * Constructing it does no I/O.
 *
 * Each look-up is one request, asked once and given 30 seconds. Redirects are refused, so that no token leaves the API's
 * origin; errors carry no token.
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
  const client = apiClient(checkedOptions(options));

  return {
    id: client.apiOrigin,

    async scope() {
      const token = await client.currentToken();
      return token === undefined ? undefined : scopeOfToken(token);
    },

    async resolveDeviceType(slugOrAlias, { signal }) {
      assertDeviceType(slugOrAlias);
      const action = `look up device type ${slugOrAlias}`;
      const question = { action, path: deviceTypePath(slugOrAlias), deviceType: slugOrAlias, signal };
      const slug = await client.ask(question, slugIn);
      if (slug === undefined) throw new DeviceTypeNotFoundError(slugOrAlias);
      return slug;
    },

    async versions(slug, { includeDrafts = false, signal }) {
      assertDeviceType(slug);
      const action = `list the versions of ${slug}`;
      const question = { action, path: versionsPath(slug, includeDrafts), deviceType: slug, signal };
      return osVersions(await client.ask(question, releasesIn));
    },

    async request(image) {
      assertDeviceType(image.deviceType);
      const token = await client.currentToken(image.signal);
      return downloadRequest(client.apiOrigin, image, token);
    },
  };
}
