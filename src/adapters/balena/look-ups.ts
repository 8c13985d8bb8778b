/** The look-ups of both balena sources: device types, versions, and the account of a token. */
import { assertDeviceType, assertDeviceTypeName } from "../../core/device-type.ts";
import { DeviceTypeNotFoundError } from "../../core/errors.ts";
import type { ConfiguredImage, ImageSource, SourceOptions } from "../../core/types.ts";
import type { ApiClient } from "../balena-api/client.ts";
import { deviceTypePath, versionsPath } from "../balena-api/queries.ts";
import { releasesIn, slugIn } from "../balena-api/rows.ts";
import { accountOf, assertTokenAccepted } from "./account.ts";
import type { Configure } from "./configure.ts";
import { deriver } from "./derive.ts";
import { downloadRequest } from "./download.ts";
import { osVersions } from "./os-versions.ts";
import { partsOf } from "./release-parts.ts";

/** An {@link ImageSource} of a balena API. */
export interface BalenaSource extends ImageSource {
  /**
   * Resolves with a new `config.json` for the fleet in `variant.appId`. It can be laid over any number of plain images, for example by
   * `bootFiles`. Every call makes the fleet's API create a new provisioning key. Network settings are not part of it.
   *
   * @throws `INVALID_ARGUMENT` without `appId`; `UNAUTHORIZED`, `VERSION_NOT_FOUND` (the account may not see the fleet), `UPSTREAM`.
   */
  config(image: ConfiguredImage): Promise<Record<string, unknown>>;
}

/** A source over a client. Nothing is asked yet. */
export function sourceOver(client: ApiClient, configure: Configure): BalenaSource {
  return {
    id: client.apiOrigin,
    ...(configure === "local" && { derive: deriver(client) }),
    async config(image) {
      const { fleetConfig } = await import("./fleet-config.ts");
      return fleetConfig(client, image);
    },

    async scope({ signal }: SourceOptions = {}) {
      const token = await client.currentToken(signal);
      return token === undefined ? undefined : accountOf(client, token);
    },

    async resolveDeviceType(slugOrAlias, options) {
      assertDeviceTypeName(slugOrAlias);
      const action = `look up device type ${slugOrAlias}`;
      const question = { action, path: deviceTypePath(slugOrAlias), deviceType: slugOrAlias, ...options };
      const slug = await client.ask(question, slugIn);
      if (slug !== undefined) return slug;
      await assertTokenAccepted(client, options);
      throw new DeviceTypeNotFoundError(slugOrAlias);
    },

    async versions(slug, { includeDrafts = false, ...options }) {
      assertDeviceType(slug);
      const action = `list the versions of ${slug}`;
      const question = { action, path: versionsPath(slug, includeDrafts), deviceType: slug, ...options };
      const versions = osVersions(await client.ask(question, releasesIn));
      if (versions.length === 0) await assertTokenAccepted(client, options);
      return versions;
    },

    async request(image) {
      assertDeviceType(image.deviceType);
      const parts = await partsOf(client, image);
      return parts ?? downloadRequest(client.apiOrigin, image, await client.currentToken(image.signal));
    },
  };
}
