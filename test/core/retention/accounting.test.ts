// Who goes first, and what that frees: tables of plain data.
import { describe, expect, test } from "vitest";
import {
  type Content,
  chooseEvictions,
  chunkUses,
  shareOf,
  type Tenant,
  totalBytes,
} from "../../../src/core/retention/accounting.ts";
import { hole } from "../../../src/core/store/chunk-ids.ts";

/** An image of 10-byte chunks, named by letters; "-" is a hole. */
function image(letters: string): Content {
  const chunks = Float64Array.from(letters, (letter) => (letter === "-" ? hole : letter.charCodeAt(0)));
  return { size: chunks.length * 10, chunkBytes: 10, chunks };
}

const tenant = (id: string, letters: string, usedAt: number, isSpared = false): Tenant => ({
  id,
  content: image(letters),
  usedAt,
  isSpared,
});

describe("chooseEvictions", () => {
  const [a, b, c] = [tenant("a", "123", 1), tenant("b", "345", 2), tenant("c", "67-", 3)];
  test.each([
    ["nothing if all fits", [a, b, c], { maxBytes: 70 }, [], 70],
    ["the least recently used first", [c, b, a], { maxBytes: 69 }, ["a"], 50],
    [
      "as many as it takes, a shared chunk going with its last image",
      [a, b, c],
      { maxBytes: 49 },
      ["a", "b"],
      20,
    ],
    ["all, if need be", [a, b, c], { maxBytes: 0 }, ["a", "b", "c"], 0],
    ["not the spared", [{ ...a, isSpared: true }, b, c], { maxBytes: 40 }, ["b", "c"], 30],
    ["what was unused too long, though there is room", [a, b, c], { unusedForMs: 8 }, ["a"], 50],
    ["none without limits", [a, b, c], {}, [], 70],
    [
      "what is above the limit all by itself before all that is small",
      [a, b, tenant("large", "abcdefghij", 9)],
      { maxBytes: 60 },
      ["large"],
      50,
    ],
    [
      "what is above the limit together with the spared",
      [{ ...tenant("pinned", "ABC", 0), isSpared: true }, a, tenant("large", "abcde", 9)],
      { maxBytes: 70 },
      ["large"],
      60,
    ],
    [
      "not what is large but shared with the spared",
      [{ ...tenant("pinned", "ABCDE", 0), isSpared: true }, a, tenant("large", "ABCDEF", 9)],
      { maxBytes: 70 },
      ["a"],
      60,
    ],
    [
      "what is left of transfers before images, the oldest first",
      [a, { ...tenant("new", "xy", 8), isPartial: true }, { ...tenant("old", "z", 7), isPartial: true }],
      { maxBytes: 50 },
      ["old"],
      50,
    ],
    [
      "a transfer's chunks that an image shares stay",
      [a, { ...tenant("part", "12z", 8), isPartial: true }],
      { maxBytes: 30 },
      ["part"],
      30,
    ],
    ["a time in the future is no reason to go", [tenant("f", "1", 99)], { unusedForMs: 0 }, [], 10],
  ])("%s", (_, tenants, limits, ids, left) => {
    const { evicted, bytesLeft } = chooseEvictions(tenants as Tenant[], limits, 10);
    expect(evicted.map(({ id }) => id)).toEqual(ids);
    expect(bytesLeft).toBe(left);
  });
});

test("bytes are counted once, holes not at all, the last chunk as long as it is", () => {
  const last = { ...image("89"), size: 13 };
  const uses = chunkUses([image("1123-"), image("34"), last]);
  expect(totalBytes(uses)).toBe(40 + 10 + 3);
  expect(shareOf(image("1123-"), uses)).toEqual({ ownBytes: 20, sharedBytes: 10 });
  expect(shareOf(last, uses)).toEqual({ ownBytes: 13, sharedBytes: 0 });
});

test("a chunk counts as many bytes as it takes in the store", () => {
  const encoded = { ...image("12-3"), storedBytes: [4, 10, 0, 6] };
  const uses = chunkUses([encoded, image("34")]);
  expect(totalBytes(uses)).toBe(4 + 10 + 6 + 10);
  expect(shareOf(encoded, uses)).toEqual({ ownBytes: 14, sharedBytes: 6 });
  const tenants = [tenant("a", "4", 1), { ...tenant("b", "", 2), content: encoded }];
  expect(chooseEvictions(tenants, { maxBytes: 20 }, 10)).toMatchObject({ bytesBefore: 30, bytesLeft: 20 });
});
