// The Range field as a table.
import { describe, expect, test } from "vitest";
import { parseRange, type RangeSpec, resolveRange } from "../../../src/core/http/range.ts";

const most = Number.MAX_SAFE_INTEGER - 1;

test.each<[string | null, RangeSpec | undefined]>([
  ["bytes=0-0", { first: 0, last: 0 }],
  ["bytes=5-9", { first: 5, last: 9 }],
  ["BYTES=5-9", { first: 5, last: 9 }],
  ["bytes=5-", { first: 5, last: undefined }],
  ["bytes=-5", { suffixBytes: 5 }],
  ["bytes=-0", { suffixBytes: 0 }],
  ["bytes= 5-9 ", { first: 5, last: 9 }],
  ["bytes=5-9,", { first: 5, last: 9 }],
  ["bytes=, ,5-9", { first: 5, last: 9 }],
  ["bytes=0005-0009", { first: 5, last: 9 }],
  [`bytes=0-${"9".repeat(400)}`, { first: 0, last: most }],
  [`bytes=${"9".repeat(400)}-`, { first: most, last: undefined }],
  [`bytes=${"9".repeat(30)}-${"9".repeat(31)}`, { first: most, last: most }],
  [`bytes=-${"9".repeat(400)}`, { suffixBytes: most }],
  [null, undefined],
  ["", undefined],
  ["bytes", undefined],
  ["bytes=", undefined],
  ["bytes=-", undefined],
  ["bytes=,", undefined],
  ["bytes=9-5", undefined],
  ["bytes=a-b", undefined],
  ["bytes=5", undefined],
  ["bytes=5 -9", undefined],
  ["bytes=+5-9", undefined],
  ["bytes=1.5-9", undefined],
  ["bytes=0x1-9", undefined],
  ["bytes=--5", undefined],
  ["bytes=0-1,3-4", undefined],
  ["bytes=0-1, bytes=3-4", undefined],
  ["items=0-5", undefined],
  ["bytes 0-5", undefined],
  ["bytes=٣-٤", undefined],
])("%s", (field, expected) => {
  expect(parseRange(field)).toEqual(expected);
});

describe("of an image", () => {
  test.each<[string, number, ReturnType<typeof resolveRange>]>([
    ["bytes=0-0", 100, { start: 0, end: 1 }],
    ["bytes=0-99", 100, { start: 0, end: 100 }],
    ["bytes=0-100", 100, { start: 0, end: 100 }],
    ["bytes=99-", 100, { start: 99, end: 100 }],
    ["bytes=100-", 100, "unsatisfiable"],
    ["bytes=100-200", 100, "unsatisfiable"],
    [`bytes=7-${"9".repeat(99)}`, 100, { start: 7, end: 100 }],
    [`bytes=${"9".repeat(99)}-`, 100, "unsatisfiable"],
    ["bytes=-1", 100, { start: 99, end: 100 }],
    ["bytes=-100", 100, { start: 0, end: 100 }],
    ["bytes=-101", 100, { start: 0, end: 100 }],
    ["bytes=-0", 100, "unsatisfiable"],
    ["bytes=0-", 0, "unsatisfiable"],
    ["bytes=0-0", 0, "unsatisfiable"],
    ["bytes=-1", 0, "whole"],
    ["bytes=-0", 0, "unsatisfiable"],
  ])("%s of %d bytes", (field, size, expected) => {
    expect(resolveRange(parseRange(field)!, size)).toEqual(expected);
  });
});
