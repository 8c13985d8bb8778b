/** Checks the options of `mirrorSource` and fills in the defaults. */
import { InvalidArgumentError } from "../../core/errors.ts";
import { balenaCloudUrl } from "../balena/api-url.ts";
import { isToken } from "../balena/token.ts";

/** Options of {@link mirrorSource}. */
export interface MirrorSourceOptions {
  /** URL of the other manager's handler, with its `basePath`, for example `https://images.example.com/os`. */
  url: string;
  /**
   * What the mirror's `authorize` wants as a bearer token, or a function that returns the current one. The function is called for every
   * request. Default: none.
   */
  token?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  /**
   * `id` of the source that the mirror's own manager has. It becomes part of each image's identity, so that images from the mirror are the same
   * ones as images from that source. A mirror of another source is an error that names it. Default `https://api.balena-cloud.com`.
   */
  sourceId?: string | undefined;
  /** Sends all requests. Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** The options with defaults filled in. */
export interface CheckedOptions {
  /** Without a slash at its end. */
  readonly base: string;
  readonly sourceId: string;
  readonly token: () => unknown;
  readonly fetch: typeof fetch;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and what it takes, not its value. */
export function checkedOptions(options: MirrorSourceOptions): CheckedOptions {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options must be an object");
  const { url, token, sourceId = balenaCloudUrl, fetch } = options;
  if (token !== undefined && typeof token !== "function" && !isToken(token))
    throw new InvalidArgumentError(
      '"token" must be printable ASCII without spaces or line ends, or a function that returns such a text',
    );
  if (fetch !== undefined && typeof fetch !== "function")
    throw new InvalidArgumentError('"fetch" must be a function');
  if (typeof sourceId !== "string" || sourceId === "")
    throw new InvalidArgumentError(`"sourceId" must be the id of a source, such as "${balenaCloudUrl}"`);
  return {
    base: checkedUrl(url),
    sourceId,
    token: typeof token === "function" ? token : () => token,
    // Called as a plain function: workerd refuses it as a method of another object.
    fetch: (...request) => (fetch ?? globalThis.fetch)(...request),
  };
}

function checkedUrl(value: unknown): string {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search || url.hash)
    throw new InvalidArgumentError(
      '"url" must be the http(s) URL of a handler, such as "https://images.example.com/os"',
    );
  // The value stays out of the message: it holds a password.
  if (url.username || url.password)
    throw new InvalidArgumentError('"url" must not contain credentials: use "token"');
  return url.href.replace(/\/$/, "");
}
