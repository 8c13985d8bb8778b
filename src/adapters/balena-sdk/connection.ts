/** Decides which balena SDK a source uses, and loads it when it is first needed. */
import { InvalidArgumentError } from "../../core/errors.ts";
import { apiOrigin, balenaCloudUrl } from "../balena/api-url.ts";
import { isToken } from "../balena/token.ts";
import { missingPeer } from "../peer.ts";
import type { BalenaSdk } from "./sdk.ts";

/** Options of {@link balenaSdkSource}. */
export interface BalenaSdkSourceOptions {
  /**
   * A ready SDK instance with its own API and login. It excludes `apiUrl` and `token`. Default: the source makes its own instance with the
   * package `balena-sdk`, which has to be installed. It is imported when it is first needed.
   */
  sdk?: BalenaSdk | undefined;
  /** URL of the balena API. Only its origin is used. Default `https://api.balena-cloud.com`. */
  apiUrl?: string | undefined;
  /**
   * Session token or API key. It is kept in memory only. Default for balenaCloud: the login that the balena CLI and SDK store in the user's
   * home directory, if there is one. Default for another `apiUrl`: none, because that login belongs to balenaCloud.
   */
  token?: string | undefined;
  /**
   * Who writes a configuration (`developmentMode`, `appId`, Wi-Fi and so on) into images. `local`: this library writes it while it delivers
   * the plain image, which is downloaded and cached once. `upstream`: balena's image maker, which makes a new image for each download.
   * What can't be configured locally (`.gz` and `.zip` files, archives, balenaOS 1) always comes from the image maker. Default `local`.
   */
  configure?: "local" | "upstream" | undefined;
}

/** An SDK that may not be loaded yet. */
export interface SdkConnection {
  readonly apiOrigin: string;
  /** Resolves with the same instance each time. */
  open(): Promise<BalenaSdk>;
}

/** Checks the options and prepares the connection; does no I/O. */
export function sdkConnection(options: BalenaSdkSourceOptions): SdkConnection {
  const { sdk, apiUrl = balenaCloudUrl, token } = options;
  if (sdk !== undefined) return connectionOf(sdk, options);
  if (token !== undefined && !isToken(token)) {
    throw new InvalidArgumentError(
      "token must be a session token or API key: printable ASCII, no spaces or line ends",
    );
  }
  const origin = apiOrigin(apiUrl);
  return { apiOrigin: origin, open: once(() => ownSdk(origin, token)) };
}

function connectionOf(sdk: BalenaSdk, { apiUrl, token }: BalenaSdkSourceOptions): SdkConnection {
  if (apiUrl !== undefined || token !== undefined) {
    throw new InvalidArgumentError("sdk has its own API and login: pass either sdk, or apiUrl and token");
  }
  // The one place where an instance tells its API without being asked over the network.
  const apiPrefix: unknown = (sdk?.pine as { apiPrefix?: unknown } | undefined)?.apiPrefix;
  if (typeof apiPrefix !== "string") throw new InvalidArgumentError("sdk must be a balena SDK instance");
  return { apiOrigin: apiOrigin(apiPrefix), open: async () => sdk };
}

async function ownSdk(apiUrl: string, token: string | undefined): Promise<BalenaSdk> {
  // Imported late: it takes a quarter of a second, and a caller that passes `sdk` has imported it already.
  const { getSdk } = await import("balena-sdk").catch(missingPeer("balenaSdkSource", "balena-sdk"));
  const usesStoredLogin = token === undefined && apiUrl === balenaCloudUrl;
  const sdk = getSdk(usesStoredLogin ? { apiUrl } : { apiUrl, dataDirectory: false });
  if (token !== undefined) await sdk.auth.loginWithToken(token);
  return sdk;
}

/** Runs a task once for all callers. A failure stays, because a broken install or an expired token does not repair itself. */
function once<T>(task: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= task();
    return running;
  };
}
