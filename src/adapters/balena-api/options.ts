/** Checks the options of `balenaApiSource` and fills in the defaults. */
import { InvalidArgumentError } from "../../core/errors.ts";
import { apiOrigin, balenaCloudUrl } from "../balena/api-url.ts";
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
  /** Sends look-ups. The manager downloads images with its own `fetch` option. Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** The options with defaults filled in. */
export interface CheckedOptions {
  readonly apiOrigin: string;
  readonly token: () => unknown;
  readonly fetch: typeof fetch;
}

/** Checks the options. The errors do not quote their values. */
export function checkedOptions({
  apiUrl = balenaCloudUrl,
  token,
  fetch,
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
  };
}
