// Who goes first, and what that frees: tables of plain data.
import { describe, expect, test } from "vitest";
import { chooseEvictions, evictions, shareOf, type Tenant } from "../../../src/core/retention/accounting.ts";
import { ChunkCounts } from "../../../src/core/store/chunk-counts.ts";
import { type Content, contentOf } from "../../../src/core/store/content.ts";

/** An image of 10-byte chunks, named by letters; "-" is a hole. */
function image(letters: string, lastBytes = 10, storedBytes?: readonly number[]): Content {
  const chunks = [...letters].map((letter) =>
    letter === "-" ? null : letter.charCodeAt(0).toString(16).padStart(8, "0").padEnd(64, "f"),
  );
  const size = Math.max(0, (chunks.length - 1) * 10 + lastBytes);
  const stored = storedBytes?.map((bytes) => (bytes === 10 ? null : { bytes }));
  return contentOf({ size, chunkBytes: 10, chunks, stored });
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
  const last = image("89", 3);
  const counts = new ChunkCounts([image("1123-"), image("34"), last]);
  expect(counts.totalBytes).toBe(40 + 10 + 3);
  expect(shareOf(image("1123-"), counts)).toEqual({ ownBytes: 20, sharedBytes: 10 });
  expect(shareOf(last, counts)).toEqual({ ownBytes: 13, sharedBytes: 0 });
  expect([...counts.release(image("1123-")).values()]).toEqual([10, 10]); // 3 is another's too
  expect(counts.totalBytes).toBe(20 + 13);
});

test("a chunk counts as many bytes as it takes in the store", () => {
  const encoded = image("12-3", 10, [4, 10, 0, 6]);
  const counts = new ChunkCounts([encoded, image("34")]);
  expect(counts.totalBytes).toBe(4 + 10 + 6 + 10);
  expect(shareOf(encoded, counts)).toEqual({ ownBytes: 14, sharedBytes: 6 });
  const tenants = [tenant("a", "4", 1), { ...tenant("b", "", 2), content: encoded }];
  expect(chooseEvictions(tenants, { maxBytes: 20 }, 10)).toMatchObject({ bytesBefore: 30, bytesLeft: 20 });
});

test("only the chunks of some contents are counted, if nothing else is asked", () => {
  const [asked, others] = [image("34"), [image("1123-"), image("3")]];
  const counts = new ChunkCounts([...others, asked], [asked]);
  const idsOf = (letters: string) => [...image(letters).ids];
  expect(idsOf("1234").map((id) => counts.countOf(id))).toEqual([0, 0, 3, 1]);
  expect([...counts.release(asked).keys()]).toEqual(idsOf("4"));
});

describe("candidates are asked for before they are chosen", () => {
  const [a, b, c] = [tenant("a", "12", 1), tenant("b", "34", 2), tenant("c", "56", 3)];

  /** Chooses; `facts` say what has become of tenants by then. Returns who was asked, and who goes. */
  function choose(facts: Record<string, Tenant | undefined>, maxBytes: number) {
    const choice = evictions([a, b, c], { maxBytes }, 10);
    const asked: string[] = [];
    let step = choice.next();
    while (!step.done) {
      asked.push(step.value.id);
      const isKnown = step.value.id in facts && !asked.slice(0, -1).includes(step.value.id);
      step = choice.next(isKnown ? facts[step.value.id] : step.value);
    }
    return { asked, evicted: step.value.evicted.map(({ id }) => id), left: step.value.bytesLeft };
  }

  test.each([
    ["nobody is asked if all fits", {}, 60, [], [], 60],
    ["no more than need be", {}, 40, ["a"], ["a"], 40],
    ["one that was used later waits", { a: { ...a, usedAt: 5 } }, 40, ["a", "b"], ["b"], 40],
    ["and goes when its turn comes", { a: { ...a, usedAt: 2.5 } }, 20, ["a", "b", "a"], ["b", "a"], 20],
    ["one that was pinned stays", { a: { ...a, isSpared: true } }, 40, ["a", "b"], ["b"], 40],
    ["one that is gone has left its room", { a: undefined }, 40, ["a"], [], 40],
  ])("%s", (_, facts, maxBytes, asked, evicted, left) => {
    expect(choose(facts, maxBytes)).toEqual({ asked, evicted, left });
  });
});
