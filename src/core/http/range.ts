/** The Range field (RFC 9110, section 14): what is asked for, and which bytes of an image that is. Pure. */

import type { Span } from "../span.ts";

/** A single range of bytes. */
export type RangeSpec =
  | { readonly first: number; readonly last: number | undefined }
  | { readonly suffixBytes: number };

/** `undefined` for everything that is to be ignored: no range, another unit, several ranges, bad syntax. */
export function parseRange(field: string | null): RangeSpec | undefined {
  const set = /^bytes=(.*)$/i.exec(field ?? "")?.[1];
  const specs = set?.split(",").map((spec) => spec.trim());
  const given = specs?.filter((spec) => spec !== ""); // a list may have empty elements (section 5.6.1)
  const [, first, last] = (given?.length === 1 && /^(\d*)-(\d*)$/.exec(given[0]!)) || [];
  if (first === undefined || last === undefined || first + last === "") return undefined;
  if (first === "") return { suffixBytes: position(last) };
  if (last === "") return { first: position(first), last: undefined };
  return position(first) <= position(last) ? { first: position(first), last: position(last) } : undefined;
}

/** Larger numbers are as good as the largest that can be counted with; one more than it still can. */
const position = (digits: string) => Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1);

/** The bytes of an image of that size; `whole` if they can't be told from it, an image without bytes. */
export function resolveRange(spec: RangeSpec, size: number): Span | "unsatisfiable" | "whole" {
  if ("suffixBytes" in spec) {
    if (spec.suffixBytes === 0) return "unsatisfiable";
    return size === 0 ? "whole" : { start: Math.max(0, size - spec.suffixBytes), end: size };
  }
  if (spec.first >= size) return "unsatisfiable";
  return { start: spec.first, end: Math.min(size, (spec.last ?? size) + 1) };
}
