/**
 * Images from a balena API, by way of the balena SDK.
 *
 * @module balena-image-manager/adapters/balena-sdk
 */
import type { BalenaSDK, OsVersion as SdkOsVersion } from "balena-sdk";
import { assertDeviceType } from "../../core/device-type.ts";
import { UnauthorizedError } from "../../core/errors.ts";
import { unlessAborted } from "../../core/source.ts";
import type { ImageSource, OsVersion } from "../../core/types.ts";
import { downloadRequest } from "../balena/download.ts";
import { osVersions } from "../balena/os-versions.ts";
import { isToken, scopeOfToken } from "../balena/token.ts";
import { type BalenaSdkSourceOptions, type SdkConnection, sdkConnection } from "./connection.ts";
import { isNotLoggedIn, sdkFailureError } from "./sdk-failure.ts";

export type { BalenaSdkSourceOptions };

/**
 * A source over the balena SDK. Versions, device types and the token come from the SDK; the bytes are fetched by the
 * core, for the SDK's own download loses errors. Constructing it does no I/O.
 *
 * Errors carry no token. A call whose signal is aborted rejects at once; the SDK takes no signal, so a request that is
 * under way ends unseen.
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
  const ask = asker(connection);
  const currentToken = (signal?: AbortSignal) =>
    ask({ action: "use the stored login", signal }, (sdk) => tokenOf(sdk));

  return {
    id: connection.apiOrigin,

    async scope() {
      const token = await currentToken();
      return token === undefined ? undefined : scopeOfToken(token);
    },

    async resolveDeviceType(slugOrAlias, { signal }) {
      assertDeviceType(slugOrAlias);
      const question = { action: `look up device type ${slugOrAlias}`, deviceType: slugOrAlias, signal };
      return ask(question, (sdk) => canonicalSlug(sdk, slugOrAlias));
    },

    async versions(slug, { includeDrafts = false, signal }) {
      assertDeviceType(slug);
      const question = { action: `list the versions of ${slug}`, deviceType: slug, signal };
      return ask(question, (sdk) => listVersions(sdk, slug, includeDrafts));
    },

    async request(image) {
      assertDeviceType(image.deviceType);
      return downloadRequest(connection.apiOrigin, image, await currentToken(image.signal));
    },
  };
}

interface Question {
  /** To follow "could not". */
  readonly action: string;
  readonly deviceType?: string;
  readonly signal: AbortSignal | undefined;
}

type Ask = <T>(question: Question, call: (sdk: BalenaSDK) => Promise<T>) => Promise<T>;

/** Every use of the SDK goes through here: it hears the signal and throws only the library's errors. */
function asker({ apiOrigin, open }: SdkConnection): Ask {
  return async ({ action, deviceType, signal }, call) => {
    try {
      return await unlessAborted(signal, async () => call(await open()));
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof UnauthorizedError) throw cause;
      // Asked for only to keep it out of the error.
      const token = await open()
        .then((sdk) => sdk.auth.getToken())
        .catch(() => undefined);
      throw sdkFailureError({ apiOrigin, action, deviceType, token, cause });
    }
  };
}

async function canonicalSlug(sdk: BalenaSDK, slugOrAlias: string): Promise<string> {
  const { slug } = await sdk.models.deviceType.get(slugOrAlias, { $select: "slug" });
  // It becomes part of URLs and keys: an API that answers anything else is not trusted with that.
  assertDeviceType(slug);
  return slug;
}

async function listVersions(sdk: BalenaSDK, slug: string, includeDraft: boolean): Promise<OsVersion[]> {
  // Asking for fields of our own also gets round the SDK's memo, which would hold a list for ten minutes.
  const fields = { $select: ["created_at", "is_final"] } as const;
  const releases = await sdk.models.os.getAvailableOsVersions(slug, fields, { includeDraft });
  // Its types forget the fields that it asks for anyway; naming them again would send each twice.
  return osVersions(releases as ((typeof releases)[number] & SdkOsVersion)[]);
}

/** The token as it is now; `undefined` where nobody is logged in. */
async function tokenOf(sdk: BalenaSDK): Promise<string | undefined> {
  const token = await sdk.auth.getToken().catch((error: unknown) => {
    if (isNotLoggedIn(error)) return undefined;
    throw error;
  });
  if (token === undefined || isToken(token)) return token;
  // `fetch` would refuse such a header with an error that quotes it.
  throw new UnauthorizedError("The stored login holds no usable token: sign in again");
}
