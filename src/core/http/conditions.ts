/** Preconditions of a GET or HEAD (RFC 9110, section 13), in the order of section 13.2.2. Pure. */
import { parseHttpDate } from "./http-date.ts";

/** What the image is known by. */
export interface CurrentValidators {
  readonly etag?: string;
  readonly lastModified?: Date;
}

/** What the preconditions say. */
export type Verdict = "proceed" | "not-modified" | "failed";

/** Judges a request's preconditions. An unknown validator matches nothing but `*`, for the image does exist. */
export function judgePreconditions(request: Headers, current: CurrentValidators): Verdict {
  const [ifMatch, ifNoneMatch] = [request.get("if-match"), request.get("if-none-match")];
  if (ifMatch !== null) {
    if (!isNamedBy(ifMatch, current.etag, isStrongMatch)) return "failed";
  } else if (isNewerThan(current, request.get("if-unmodified-since"))) return "failed";
  if (ifNoneMatch !== null)
    return isNamedBy(ifNoneMatch, current.etag, isWeakMatch) ? "not-modified" : "proceed";
  return isNewerThan(current, request.get("if-modified-since")) === false ? "not-modified" : "proceed";
}

/** Whether a Range counts: without If-Range always, else only for the very image that the client has a part of. */
export function isRangeCurrent(request: Headers, current: CurrentValidators): boolean {
  const ifRange = request.get("if-range");
  if (ifRange === null) return true;
  if (ifRange.includes('"')) return isStrongMatch(ifRange, current.etag);
  // A strong validator in the sense of section 8.8.2.2: a release does not change twice in a second.
  const since = parseHttpDate(ifRange);
  return since !== undefined && since === secondOf(current);
}

function isNamedBy(
  field: string,
  etag: string | undefined,
  isMatch: (one: string, etag: string | undefined) => boolean,
): boolean {
  if (field.trim() === "*") return true;
  return (field.match(/(?:W\/)?"[^"]*"/g) ?? []).some((one) => isMatch(one, etag));
}

const isStrongMatch = (one: string, etag: string | undefined) => one === etag && etag.startsWith('"');

const isWeakMatch = (one: string, etag: string | undefined) => opaque(one) === (etag && opaque(etag));

const opaque = (etag: string) => etag.replace(/^W\//, "");

/** `undefined` if either date is not known, so that the field is to be ignored. */
function isNewerThan(current: CurrentValidators, field: string | null): boolean | undefined {
  const [modified, since] = [secondOf(current), field === null ? undefined : parseHttpDate(field)];
  return modified === undefined || since === undefined ? undefined : modified > since;
}

/** HTTP dates have no fractions of a second. */
function secondOf({ lastModified }: CurrentValidators): number | undefined {
  return lastModified && Math.floor(lastModified.getTime() / 1000) * 1000;
}
