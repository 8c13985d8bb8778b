/** Whether a stored copy is still right: the table of docs/freshness.md, row by row. */
import { describe, expect, test } from "vitest";
import { isStrongEtag, judgeFreshness } from "../../../src/core/freshness/judge.ts";
import type { Validators } from "../../../src/core/freshness/validators.ts";

const day = (n: number) => new Date(Date.UTC(2026, 2, n)).toUTCString();
type Facts = Omit<Validators, "fileType">;

describe("judgeFreshness", () => {
  test.each<[string, Facts, Facts, "fresh" | "stale"]>([
    [
      "equal strong ETags win over all else",
      { etag: '"a"', size: 1, lastModified: day(1) },
      { etag: '"a"', size: 2, lastModified: day(2) },
      "fresh",
    ],
    [
      "different strong ETags win over all else",
      { etag: '"a"', size: 1, lastModified: day(1) },
      { etag: '"b"', size: 1, lastModified: day(1) },
      "stale",
    ],
    [
      "equal weak ETags say nothing: sizes differ",
      { etag: 'W/"a"', size: 1 },
      { etag: 'W/"a"', size: 2 },
      "stale",
    ],
    [
      "different weak ETags win over equal dates and sizes",
      { etag: 'W/"a"', size: 1, lastModified: day(1) },
      { etag: 'W/"b"', size: 1, lastModified: day(1) },
      "stale",
    ],
    ["different weak ETags, and nothing else is known", { etag: 'W/"a"' }, { etag: 'W/"b"' }, "stale"],
    ["one weak, one strong, and different", { etag: '"a"' }, { etag: 'W/"b"' }, "stale"],
    ["one weak, one strong, of the same text", { etag: 'W/"a"' }, { etag: '"a"' }, "fresh"],
    ["a weak ETag on one side only", { etag: 'W/"a"' }, {}, "fresh"],
    [
      "one strong, one weak: dates differ",
      { etag: '"a"', lastModified: day(1) },
      { etag: 'W/"a"', lastModified: day(2) },
      "stale",
    ],
    ["an unquoted ETag is none", { etag: "a", size: 1 }, { etag: "a", size: 2 }, "stale"],
    [
      "sizes differ, dates are equal",
      { size: 1, lastModified: day(1) },
      { size: 2, lastModified: day(1) },
      "stale",
    ],
    [
      "sizes are equal, dates differ",
      { size: 1, lastModified: day(1) },
      { size: 1, lastModified: day(2) },
      "stale",
    ],
    [
      "one size is unknown, dates are equal",
      { lastModified: day(1) },
      { size: 2, lastModified: day(1) },
      "fresh",
    ],
    ["a newer date", { lastModified: day(1) }, { lastModified: day(2) }, "stale"],
    [
      "an older date: another file took its place",
      { lastModified: day(2) },
      { lastModified: day(1) },
      "stale",
    ],
    [
      "the stored date counts before the fetch's",
      { lastModified: day(1), date: day(9) },
      { lastModified: day(2) },
      "stale",
    ],
    [
      "only the upstream has a date, from before the fetch",
      { date: day(5) },
      { lastModified: day(4) },
      "fresh",
    ],
    [
      "only the upstream has a date, from after the fetch",
      { date: day(5) },
      { lastModified: day(6) },
      "stale",
    ],
    [
      "only the upstream has a date, of the fetch's very second",
      { date: day(5) },
      { lastModified: day(5) },
      "stale",
    ],
    ["only the upstream has a date, and nobody noted the fetch's", {}, { lastModified: day(6) }, "fresh"],
    ["only the stored one has a date", { lastModified: day(1) }, {}, "fresh"],
    ["a date that is none", { lastModified: "yesterday", date: day(5) }, { lastModified: day(6) }, "stale"],
    ["sizes are equal and nothing else is known", { size: 1 }, { size: 1 }, "fresh"],
    ["nothing is known", {}, {}, "fresh"],
  ])("%s", (_, stored, upstream, verdict) => {
    expect(judgeFreshness({ ...stored, fileType: ".gz" }, { ...upstream, fileType: ".gz" })).toBe(verdict);
  });
});

describe("isStrongEtag", () => {
  test.each(['"a"', '""', '"\u00e9!#"'])("%s is", (etag) => expect(isStrongEtag(etag)).toBe(true));
  test.each(["a", 'W/"a"', '"a', 'a"', '"a b"', '"a"b"', "", undefined])("%s is not", (etag) =>
    expect(isStrongEtag(etag)).toBe(false),
  );
});
