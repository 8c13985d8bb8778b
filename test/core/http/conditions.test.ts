// Preconditions and HTTP dates as tables.
import { describe, expect, test } from "vitest";
import {
  type CurrentValidators,
  isRangeCurrent,
  judgePreconditions,
  type Verdict,
} from "../../../src/core/http/conditions.ts";
import { parseHttpDate } from "../../../src/core/http/http-date.ts";

const [before, at, after] = [
  "Wed, 04 Mar 2026 05:06:06 GMT",
  "Wed, 04 Mar 2026 05:06:07 GMT",
  "Wed, 04 Mar 2026 05:06:08 GMT",
];
const lastModified = new Date("2026-03-04T05:06:07.890Z");
const known: CurrentValidators = { etag: '"a"', lastModified };
const weak: CurrentValidators = { etag: 'W/"a"' };
const unknown: CurrentValidators = {};

describe("preconditions", () => {
  test.each<[Record<string, string>, CurrentValidators, Verdict]>([
    [{}, known, "proceed"],
    [{ "if-none-match": '"a"' }, known, "not-modified"],
    [{ "if-none-match": 'W/"a"' }, known, "not-modified"],
    [{ "if-none-match": '"a"' }, weak, "not-modified"],
    [{ "if-none-match": '"b", "x,y" ,W/"a"' }, known, "not-modified"],
    [{ "if-none-match": '"b", "c"' }, known, "proceed"],
    [{ "if-none-match": "*" }, known, "not-modified"],
    [{ "if-none-match": "*" }, unknown, "not-modified"],
    [{ "if-none-match": '"*"' }, known, "proceed"],
    [{ "if-none-match": "a" }, known, "proceed"],
    [{ "if-none-match": '"a' }, known, "proceed"],
    [{ "if-none-match": '"A"' }, known, "proceed"],
    [{ "if-none-match": "" }, known, "proceed"],
    [{ "if-none-match": '"a"' }, unknown, "proceed"],
    [{ "if-none-match": '"b"', "if-modified-since": after }, known, "proceed"],
    [{ "if-modified-since": after }, known, "not-modified"],
    [{ "if-modified-since": at }, known, "not-modified"],
    [{ "if-modified-since": before }, known, "proceed"],
    [{ "if-modified-since": "2026-03-04T05:06:08Z" }, known, "proceed"],
    [{ "if-modified-since": "tomorrow" }, known, "proceed"],
    [{ "if-modified-since": after }, unknown, "proceed"],
    [{ "if-match": '"a"' }, known, "proceed"],
    [{ "if-match": '"b", "a"' }, known, "proceed"],
    [{ "if-match": "*" }, unknown, "proceed"],
    [{ "if-match": 'W/"a"' }, known, "failed"],
    [{ "if-match": 'W/"a"' }, weak, "failed"],
    [{ "if-match": '"b"' }, known, "failed"],
    [{ "if-match": '"a"' }, unknown, "failed"],
    [{ "if-match": '"b"', "if-none-match": '"a"' }, known, "failed"],
    [{ "if-match": '"a"', "if-none-match": '"a"' }, known, "not-modified"],
    [{ "if-match": '"a"', "if-unmodified-since": before }, known, "proceed"],
    [{ "if-unmodified-since": before }, known, "failed"],
    [{ "if-unmodified-since": at }, known, "proceed"],
    [{ "if-unmodified-since": "never" }, known, "proceed"],
    [{ "if-unmodified-since": before }, unknown, "proceed"],
  ])("%j of %j: %s", (fields, current, expected) => {
    expect(judgePreconditions(new Headers(fields), current)).toBe(expected);
  });
});

describe("If-Range", () => {
  test.each<[string, CurrentValidators, boolean]>([
    ['"a"', known, true],
    ['"b"', known, false],
    ['W/"a"', known, false],
    ['W/"a"', weak, false],
    ['"a"', unknown, false],
    ['"a", "b"', known, false],
    ["*", known, false],
    [at, known, true],
    [after, known, false],
    [before, known, false],
    [at, unknown, false],
    ["soon", known, false],
    ["soon", unknown, false],
    ["", known, false],
  ])("%s", (field, current, expected) => {
    expect(isRangeCurrent(new Headers({ "if-range": field }), current)).toBe(expected);
  });

  test("without it a range always counts", () => expect(isRangeCurrent(new Headers(), unknown)).toBe(true));
});

test.each<[string, string | undefined]>([
  ["Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"],
  ["Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z"],
  ["Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z"],
  ["Wed Nov 16 08:49:37 1994", "1994-11-16T08:49:37.000Z"],
  ["Thursday, 04-Mar-27 05:06:07 GMT", "2027-03-04T05:06:07.000Z"],
  ["Sun, 06 Nov 1994 08:49:37 UTC", undefined],
  ["Sun, 06 Nov 1994 08:49:37", undefined],
  ["Sun, 6 Nov 1994 08:49:37 GMT", undefined],
  ["Sun, 06 nov 1994 08:49:37 GMT", undefined],
  ["Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00.000Z"],
  ["Sun, 99 Nov 1994 08:49:37 GMT", undefined],
  ["Sun, 06 Nov 1994 24:00:00 GMT", undefined],
  ["Sun, 06 Nov 1994 08:60:00 GMT", undefined],
  ["1994-11-06T08:49:37Z", undefined],
  ["784111777", undefined],
  ["0", undefined],
  ["", undefined],
])("the date %s", (field, expected) => {
  const parsed = parseHttpDate(field);
  expect(parsed === undefined ? undefined : new Date(parsed).toISOString()).toBe(expected);
});
