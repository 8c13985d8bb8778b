/** A few of the seeds that `npm run simulate` runs by the thousand, and that a seed says all. */
import { expect, test } from "vitest";
import { simulate } from "./simulate.ts";

test.each([1, 2, 3, 5, 8, 11, 24, 38])(
  "seed %i: every byte is right, and in the end everything is live",
  async (seed) => {
    const { violations, decisions } = await simulate(seed);
    expect(violations).toEqual([]);
    expect(decisions).toBeGreaterThan(500);
  },
);

test("the same seed gives the same run, and another one gives another", async () => {
  const [first, again, other] = [await simulate(7), await simulate(7), await simulate(13)];
  expect(again.trace).toEqual(first.trace);
  expect(again.fingerprint).toBe(first.fingerprint);
  expect(other.fingerprint).not.toBe(first.fingerprint);
});
