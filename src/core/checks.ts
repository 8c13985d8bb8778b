/** Checks of values that were read. A store may contain anything. A value that passes may go into a header, a URL, a date or a sum. */
import { bounds } from "./bounds.ts";

/** A count of something: a whole number from 0. */
export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/** A whole number from 1. */
export const isPositiveInteger = (value: unknown): value is number => isCount(value) && value > 0;

/** Milliseconds since 1970, of which a `Date` can be made (ECMA-262, section 21.4.1.1). */
export const isTime = (value: unknown): value is number => isCount(value) && value <= 8.64e15;

/** A day, or a time, as ISO 8601. */
export const isDate = (value: unknown): value is string =>
  typeof value === "string" &&
  /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?$/.test(value) &&
  !Number.isNaN(Date.parse(value));

/** An IPv4 address: four numbers with dots. */
export const isIpv4 = (value: unknown): value is string =>
  typeof value === "string" && /^((^|\.)(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){4}$/.test(value);

/** The length of a prefix, or an IPv4 address of ones and then zeros. */
export function isNetmask(value: unknown): value is string {
  if (!isIpv4(value)) return typeof value === "string" && /^([1-9]|[12]\d|3[0-2])$/.test(value);
  const zeros = 2 ** 32 - value.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return zeros < 2 ** 32 && Number.isInteger(Math.log2(zeros));
}

/** A SHA-256 in lower-case hex. */
export const isSha256 = (value: unknown): value is string =>
  typeof value === "string" && /^[0-9a-f]{64}$/.test(value);

/** Digests of chunks, `null` for a hole. */
export const isChunkDigests = (value: unknown): value is (string | null)[] =>
  Array.isArray(value) && value.every((digest) => digest === null || isSha256(digest));

/** Some text of ours, such as an owner's name. */
export const isName = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= 256;

export const isOptional = (isValid: (value: unknown) => boolean, value: unknown): boolean =>
  value === undefined || isValid(value);

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** A header's value that can be sent: Node refuses control characters, and what can't be sent would fail each request. */
export function isHeaderValue(value: unknown): value is string {
  if (typeof value !== "string" || value.length > bounds.headerCharacters) return false;
  return /^[\t\x20-\x7e\x80-\xff]+$/.test(value);
}

/** A media type (RFC 9110, section 8.3.1), in letters that every server sends: Node's refuses control characters. */
export function isMediaType(value: unknown): value is string {
  if (typeof value !== "string" || value.length > 256) return false;
  return /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:[ \t]*;[\t\x20-\x7e]*)?$/.test(value);
}
