/** The one check that a token passes before it goes into a header. */

/** Whether a value can go into an Authorization header as it is; `fetch`'s own error would quote one that can't. */
export function isToken(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}
