/** A few of the seeds that `npm run simulate` runs by the thousand, and that a seed says all. */
import { expect, test } from "vitest";
import { runSeeds } from "./jobs.ts";
import { simulate } from "./simulate.ts";
import type { Outcome } from "./worker.ts";

test.each([1, 2, 3, 5, 8, 11, 24, 38])(
  "seed %i: every byte is right, and in the end everything is live",
  async (seed) => {
    const { violations, decisions } = await simulate(seed);
    expect(violations).toEqual([]);
    expect(decisions).toBeGreaterThan(200);
  },
);

test("the same seed gives the same run, and another one gives another", async () => {
  const [first, again, other] = [await simulate(7), await simulate(7), await simulate(13)];
  expect(again.trace).toEqual(first.trace);
  expect(again.fingerprint).toBe(first.fingerprint);
  expect(other.fingerprint).not.toBe(first.fingerprint);
});

test("a seed's run is the same in another process, after other seeds", async () => {
  const outcomes: Outcome[] = [];
  await runSeeds({ from: 6, seeds: 2, jobs: 1 }, (outcome) => outcomes.push(outcome) > 0);
  expect(outcomes.map(({ seed }) => seed)).toEqual([6, 7]);
  expect(outcomes[1]!.fingerprint).toBe((await simulate(7)).fingerprint);
});
