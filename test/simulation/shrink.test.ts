/** A run that fails is made small: what has nothing to do with it is left out, and its trace is cut to what concerns it. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createRandom } from "../soak/random.ts";
import { excerptOf, folded } from "./excerpt.ts";
import { type Narrowing, narrowed, optionsOf, switchesOf } from "./narrowing.ts";
import { type Profile, profileOf } from "./profile.ts";
import { kindOf, shrink } from "./shrink.ts";
import { type Result, simulate } from "./simulate.ts";
import { SimulatedStore } from "./store.ts";

const all: Profile = (() => {
  const drawn = profileOf(createRandom(1, "profile"));
  const on = { fails: 0.1, losesAnswer: 0.1, hangs: 0.1, damages: 0.1, listsInPieces: true };
  return { ...drawn, processes: 5, versions: 3, store: { ...drawn.store, ...on }, kills: true, pauses: true };
})();

const resultOf = (profile: Profile, violations: string[]): Result => ({
  seed: 1,
  violations,
  trace: [],
  fingerprint: "",
  decisions: 1,
  profile,
});

describe("shrinking", () => {
  test("leaves out all that the failure does not need", async () => {
    const shrunk = await shrink(1, async (_seed, narrowing) => {
      const profile = narrowed(all, narrowing);
      const { calls = 100, callers = 2 } = narrowing;
      const fails = profile.kills && profile.store.hangs > 0 && profile.processes > 1 && calls * callers > 2;
      return resultOf(profile, fails ? [`p${profile.processes} got 0a1b2c at ${calls}`] : []);
    });
    expect(switchesOf(shrunk.result.profile)).toEqual(["store.hangs", "kills"]);
    expect(shrunk.narrowing).toMatchObject({
      processes: 2,
      versions: 1,
      callers: 1,
      calls: 4,
      faultyMs: 500,
    });
  });

  test("goes on only with the same violation, and draws a smaller world several times", async () => {
    const shrunk = await shrink(1, async (_seed, { draw = 0, without = [] }) => {
      const profile = narrowed(all, { without });
      if (profile.pauses) return resultOf(profile, ["2 callers wait for ever"]);
      return resultOf(profile, [draw === 5 ? "7 callers wait for ever" : "something else"]);
    });
    expect(switchesOf(shrunk.result.profile)).toEqual([]);
    expect(shrunk.narrowing.draw).toBe(5);
    expect(shrunk.result.violations).toEqual(["7 callers wait for ever"]);
  });

  test("says that a seed does not fail", async () => {
    const passing = async () => resultOf(all, []);
    await expect(shrink(3, passing)).rejects.toThrow("Seed 3 does not fail");
  });

  test("a switch that does not exist is named", () => {
    expect(() => narrowed(all, { without: ["store.explodes"] })).toThrow(
      /"store\.explodes" is no switch.*store\.hangs/,
    );
    expect(() => narrowed(all, { without: ["validators"] })).toThrow('"validators" is no switch');
  });

  test("the options say what was left out", () => {
    expect(optionsOf(7, { draw: 2, calls: 4, faultyMs: 500, without: ["kills", "store.hangs"] })).toBe(
      "--seed 7 --draw 2 --calls 4 --faulty-ms 500 --without kills,store.hangs",
    );
  });

  test.each([
    [
      "bytes 0 to 262144 of 1.0.0 are of no single revision",
      "bytes 8 to 9 of 2.0.0 are of no single revision",
    ],
    ["p1 has 3 of 0a1b2c3d", "p12 has 44 of ffee01"],
  ])("%s is the same as %s", (one, other) => {
    expect(kindOf(one)).toBe(kindOf(other));
  });
});

describe("a trace", () => {
  const line = (second: number, words: string) => `${second.toFixed(3).padStart(9)} ${words}`;

  test("is cut to what a violation names, up to it", () => {
    const trace = [
      line(0, "-    profile {}"),
      line(1, "p1   get 1.0.0 (default): network"),
      line(2, "p1   get 2.0.0 (default): network"),
      line(3, "-    kills p1"),
      line(4, "p2   VIOLATION: 2.0.0 is wrong"),
      line(5, "p2   get 2.0.0 (default): network"),
    ];
    expect(excerptOf(trace)).toEqual([0, 2, 3, 4].map((at) => trace[at]));
  });

  test("is about processes if no image is named, and about all if nothing is", () => {
    const trace = [line(1, "p1   read"), line(2, "p2   read"), line(3, "-    VIOLATION: p2 waits")];
    expect(excerptOf(trace)).toEqual(trace.slice(1));
    expect(excerptOf([...trace, line(4, "-    VIOLATION: all wait")])).toHaveLength(3);
    expect(excerptOf([trace[0]!, line(4, "-    VIOLATION: all wait")])).toHaveLength(2);
  });

  test("says once what is repeated, also if several lines take turns", () => {
    const turns = [1, 2, 3, 4].flatMap((second) => [line(second, "p1 a"), line(second + 0.5, "p1 b")]);
    expect(folded([...turns, line(9, "p1 c")])).toEqual([
      turns[0],
      turns[1],
      "          … 3 times more, until 4.500",
      line(9, "p1 c"),
    ]);
    expect(folded([line(1, "a"), line(2, "a")])).toHaveLength(2);
  });
});

test("a planted fault is found, shrunk, and repeated by its options", async () => {
  const { client } = SimulatedStore.prototype;
  // Both of two that create a lease are told that it is theirs.
  const lying = vi.spyOn(SimulatedStore.prototype, "client").mockImplementation(function (
    this: SimulatedStore,
    process,
  ) {
    const driver = client.call(this, process);
    const createIfAbsent = async (key: string, bytes: Uint8Array) => {
      await driver.setItemRaw?.(key, bytes, {});
      return "created" as const;
    };
    return { ...driver, createIfAbsent };
  });
  onTestFinished(() => lying.mockRestore());
  const start = {
    versions: 1,
    callers: 1,
    calls: 1,
    faultyMs: 500,
    without: ["store.hangs", "store.isSlow", "pauses"],
  };
  const seed = await firstToFail(start);
  const before = switchesOf((await simulate(seed, start)).profile);
  const { narrowing, result } = await shrink(seed, simulate, { start, draws: 1 });
  expect(result.violations[0]).toMatch(/bodies of 9\.0\.0 were fetched at once/);
  expect(switchesOf(result.profile).length).toBeLessThan(before.length);
  expect((await simulate(seed, narrowing)).fingerprint).toBe(result.fingerprint);
  const told = excerptOf(result.trace);
  expect(told.length).toBeLessThan(result.trace.length);
  expect(told.filter((line) => line.includes("write leases:simulated-device~9.0.0~")).length).toBeGreaterThan(
    1,
  );
});

async function firstToFail(narrowing: Narrowing): Promise<number> {
  for (let seed = 1; ; seed++) {
    const [violation] = (await simulate(seed, narrowing)).violations;
    if (violation?.includes("bodies of 9.0.0")) return seed;
  }
}
