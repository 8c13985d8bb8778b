/** The one check that a token passes before it goes into a header. */
import { UnauthorizedError } from "../../core/errors.ts";

/** Whether a value can go into an Authorization header as it is; `fetch`'s own error would quote one that can't. */
export function isToken(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}

/** What a token function has returned. @throws {UnauthorizedError} `UNAUTHORIZED` if that is no token. */
export function usableToken(token: unknown): string | undefined {
  if (token === undefined || isToken(token)) return token;
  throw new UnauthorizedError(
    "The token function returned no usable token: printable ASCII, no spaces or line ends",
  );
}
