/** Checks the options of `balenaApiSource` and fills in the defaults. */
import { InvalidArgumentError } from "../../core/errors.ts";
import { apiOrigin, balenaCloudUrl } from "../balena/api-url.ts";
import { type Configure, checkedConfigure } from "../balena/configure.ts";
import { isToken } from "../balena/token.ts";

/** Options of {@link balenaApiSource}. */
export interface BalenaApiSourceOptions {
  /** URL of the balena API. Only its origin is used. Default `https://api.balena-cloud.com`. */
  apiUrl?: string | undefined;
  /**
   * Session token or API key, or a function that returns the current one. The function is called for every request. Default: none; only
   * public images are then available.
   */
  token?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  /**
   * Who writes a configuration (`developmentMode`, `appId`, Wi-Fi and so on) into images. `local`: this library writes it while it delivers
   * the plain image, which is downloaded and cached once. `upstream`: balena's image maker, which makes a new image for each download.
   * What can't be configured locally (`.gz` and `.zip` files, archives, balenaOS 1) always comes from the image maker. Default `local`.
   */
  configure?: "local" | "upstream" | undefined;
  /** Sends look-ups. The manager downloads images with its own `fetch` option. Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** The options with defaults filled in. */
export interface CheckedOptions {
  readonly apiOrigin: string;
  readonly token: () => unknown;
  readonly fetch: typeof fetch;
  readonly configure: Configure;
}

/** Checks the options. The errors do not quote their values. */
export function checkedOptions({
  apiUrl = balenaCloudUrl,
  token,
  fetch,
  configure,
}: BalenaApiSourceOptions): CheckedOptions {
  if (token !== undefined && typeof token !== "function" && !isToken(token)) {
    throw new InvalidArgumentError(
      "token must be a session token or API key (printable ASCII, no spaces or line ends), or a function that returns one",
    );
  }
  if (fetch !== undefined && typeof fetch !== "function") {
    throw new InvalidArgumentError("fetch must be a function");
  }
  return {
    apiOrigin: apiOrigin(apiUrl),
    token: typeof token === "function" ? token : () => token,
    // Called as a plain function: workerd refuses it as a method of another object.
    fetch: (...request) => (fetch ?? globalThis.fetch)(...request),
    configure: checkedConfigure(configure),
  };
}
