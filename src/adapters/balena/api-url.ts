/** Turns the URL of a balena API into the origin that identifies a source. */
import { InvalidArgumentError } from "../../core/errors.ts";

/** The API of balenaCloud. */
export const balenaCloudUrl = "https://api.balena-cloud.com";

/**
 * Origin of a balena API. Path and query are dropped, as the balena SDK drops them.
 *
 * @throws {@link InvalidArgumentError} (`INVALID_ARGUMENT`) for what is no http(s) URL, or carries credentials.
 *
 * @example
 * ```ts
 * apiOrigin("https://api.balena-cloud.com/"); // "https://api.balena-cloud.com"
 * ```
 */
export function apiOrigin(apiUrl: unknown): string {
  const url = typeof apiUrl === "string" ? URL.parse(apiUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError(`apiUrl must be an http(s) URL such as "${balenaCloudUrl}"`);
  }
  // The value stays out of the message: it holds a password.
  if (url.username || url.password)
    throw new InvalidArgumentError("apiUrl must not contain credentials: use token");
  return url.origin;
}
