/** The order of versions: its laws, over all pairs and triples of a sample, and balena-semver's opinion of it. */
import { compare as balenaCompare } from "balena-semver";
import { describe, expect, it } from "vitest";
import { compareVersions, type ParsedVersion, parseVersion } from "../../../src/core/version/index.ts";
import { createRandom, randomVersion } from "./sample.ts";

/** Oldest first; each is below all that follow. */
const ladder = [
  "1.26.0",
  "2.0.0-beta.1",
  "2.0.0-beta.1+rev2.dev",
  "2.0.0-beta.2",
  "2.0.0-beta.10",
  "2.0.0-rc1.rev1",
  "2.0.0",
  "2.0.0.rev1",
  "2.60.1.dev",
  "2.60.1",
  "2.60.1.prod",
  "2.60.1+rev1.dev",
  "2.60.1+rev1",
  "2.60.1+rev1.prod",
  "2.60.1+rev2.prod",
  "2.60.1+rev10.dev",
  "2.60.1+rev10.prod",
  "2.60.2-1",
  "6.0.9",
  "6.0.10",
  "6.0.10+build.1",
  "6.0.10+build.2",
  "6.0.10+rev1",
  "6.10.0",
  "7.0.0-1",
  "7.0.0-1.a",
  "7.0.0-2",
  "7.0.0-a",
  "2022.01.0.prod",
  "2022.2.0",
  "2022.10.0",
];

const order = (a: string, b: string) => signOf(parseVersion(a)!, parseVersion(b)!);
const signOf = (a: ParsedVersion, b: ParsedVersion) => Math.sign(compareVersions(a, b));

describe("compareVersions", () => {
  it("puts every pair of the ladder in its order, both ways round", () => {
    for (const [i, a] of ladder.entries()) {
      for (const [j, b] of ladder.entries()) expect([a, b, order(a, b)]).toEqual([a, b, Math.sign(i - j)]);
    }
  });

  it("is transitive over all triples of a random sample", () => {
    const random = createRandom(1);
    const sample = Array.from({ length: 60 }, () => parseVersion(randomVersion(random))!);
    const signs = sample.map((a) => sample.map((b) => signOf(a, b)));
    const indexes = [...sample.keys()];
    const isAtMost = (i: number, j: number) => signs[i]![j]! <= 0;
    const broken = indexes.flatMap((i) =>
      indexes.flatMap((j) => indexes.filter((k) => isAtMost(i, j) && isAtMost(j, k) && !isAtMost(i, k))),
    );
    expect(broken).toEqual([]);
  });

  it("is antisymmetric, and 0 for one canonical spelling only, over all pairs of a random sample", () => {
    const random = createRandom(4);
    const sample = Array.from({ length: 200 }, () => parseVersion(randomVersion(random))!);
    const broken = sample.flatMap((a) =>
      sample.filter(
        (b) => signOf(a, b) + signOf(b, a) !== 0 || (signOf(a, b) === 0) !== (a.canonical === b.canonical),
      ),
    );
    expect(broken).toEqual([]);
  });

  it.each([
    ["v6.0.10", "6.0.10"],
    ["2.0.0.rev1", "2.0.0+rev1"],
    ["2022.01.0.prod", "2022.1.0+prod"],
    ["2.0.0+rev0", "2.0.0"],
  ])("holds %s and %s for the same version", (a, b) => {
    expect(order(a, b)).toBe(0);
  });
});

describe("balena-semver", () => {
  it("agrees on the ladder and on all pairs of a large sample", () => {
    const random = createRandom(2);
    const sample = [...ladder, ...Array.from({ length: 200 }, () => randomVersion(random))];
    for (const a of sample) {
      for (const b of sample) {
        if (order(a, b) !== balenaCompare(a, b)) {
          expect.fail(`${a} ${b}: ${order(a, b)}, ${balenaCompare(a, b)}`);
        }
      }
    }
  });

  // The known differences; each is a spelling that upstream lists don't hold, or hold alone.
  it.each([
    ["an explicit rev0 is no revision to us", "2.0.0", "2.0.0+rev0", 0, -1],
    ["the spelling of build parts is no order to us", "2.0.0+prod.rev1", "2.0.0+rev1.prod", 0, -1],
    ["a capital V is no version to it", "V2.0.0", "1.0.0", 1, -1],
    [
      "valid semver stays semver to us: rev10 is text in a pre-release",
      "2.0.0-rc.1.rev10",
      "2.0.0-rc.1.rev2",
      -1,
      1,
    ],
    ["text is compared by code units, not by locale", "2.0.0+B", "2.0.0+a", -1, 1],
  ])("differs: %s", (_why, a, b, ours, theirs) => {
    expect([order(a, b), balenaCompare(a, b)]).toEqual([ours, theirs]);
  });
});
