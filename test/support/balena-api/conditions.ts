// Conditional and ranged requests as RFC 9110 has them (sections 13 and 14), as pure functions of the headers.
import type { IncomingHttpHeaders } from "node:http";

/** Validators of a representation. */
export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: Date | undefined;
}

/** What a Range header asks for: bytes (end exclusive), nothing that can be given, or nothing at all. */
export type AskedRange = { readonly start: number; readonly end: number } | "unsatisfiable" | undefined;

/** Whether the client's copy is still the current one: 304. If-None-Match, compared weakly, wins over the date. */
export function isNotModified(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const tags = headers["if-none-match"];
  if (tags !== undefined)
    return etag !== undefined && tagsOf(tags).some((tag) => tag === "*" || weak(tag) === weak(etag));
  const since = Date.parse(headers["if-modified-since"] ?? "");
  return lastModified !== undefined && Math.floor(lastModified.getTime() / 1000) * 1000 <= since;
}

/** Whether a Range may be served: If-Range is absent, the same strong ETag, or exactly the Last-Modified date. */
export function isRangeCurrent(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const condition = headers["if-range"];
  if (condition === undefined) return true;
  if (condition.includes('"')) return condition === etag && !condition.startsWith("W/");
  return condition === lastModified?.toUTCString();
}

/** Reads a Range header; several ranges or another unit count as none, as a server may choose. */
export function askedRange(header: string | undefined, bytes: number): AskedRange {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? bytes : Math.min(bytes, Number(last) + 1);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined; // invalid: to be ignored
  return start < end ? { start, end } : "unsatisfiable";
}

const tagsOf = (list: string) => list.match(/\*|(?:W\/)?"[^"]*"/g) ?? [];
const weak = (tag: string) => tag.replace(/^W\//, "");
