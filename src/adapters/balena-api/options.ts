/** The options of `balenaApiSource`, and their check. */
import { InvalidArgumentError } from "../../core/errors.ts";
import { apiOrigin, balenaCloudUrl } from "../balena/api-url.ts";
import { isToken } from "../balena/token.ts";

/** Options of {@link balenaApiSource}. */
export interface BalenaApiSourceOptions {
  /** The balena API. Default `https://api.balena-cloud.com`; only the origin counts. */
  apiUrl?: string | undefined;
  /**
   * Session token or API key, or a function that says the one to use now: it is asked anew for every request. Default:
   * none, which shows what is public.
   */
  token?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  /** What look-ups are sent with. Default: the global `fetch`. Images are fetched by the manager, with its own. */
  fetch?: typeof fetch | undefined;
}

/** The options with defaults filled in. */
export interface CheckedOptions {
  readonly apiOrigin: string;
  readonly token: () => unknown;
  readonly fetch: typeof fetch;
}

/** Checks the options; their values stay out of the errors. */
export function checkedOptions({
  apiUrl = balenaCloudUrl,
  token,
  fetch,
}: BalenaApiSourceOptions): CheckedOptions {
  if (token !== undefined && typeof token !== "function" && !isToken(token)) {
    throw new InvalidArgumentError(
      "token must be a session token or API key (printable ASCII, no spaces or line ends), or a function that says it",
    );
  }
  if (fetch !== undefined && typeof fetch !== "function") {
    throw new InvalidArgumentError("fetch must be a function");
  }
  return {
    apiOrigin: apiOrigin(apiUrl),
    token: typeof token === "function" ? token : () => token,
    // Called as a plain function: workerd's refuses to be another object's method.
    fetch: (...request) => (fetch ?? globalThis.fetch)(...request),
  };
}
