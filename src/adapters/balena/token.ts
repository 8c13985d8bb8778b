/** The one check that a token passes before it goes into a header. */

/** Whether a value can go into an Authorization header as it is; what can't would be quoted in `fetch`'s own error. */
export function isToken(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}
