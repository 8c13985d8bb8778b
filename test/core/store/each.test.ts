// Calls for many keys: how many at a time, in which order their results come, and what a failure leaves running.
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { eachOf } from "../../../src/core/each.ts";
import { rejection } from "../../support/collect.ts";

test("results come in the order of the items, whichever call ends first", async () => {
  const items = [1, 3, 5, 7, 9];
  const calls = items.map(() => Promise.withResolvers<void>());
  const ended: number[] = [];
  const call = async (item: number) => {
    await calls[items.indexOf(item)]!.promise;
    ended.push(item);
    return item * 2;
  };
  const results = eachOf(items, call, items.length);
  for (const { resolve } of calls.toReversed()) resolve();
  expect(await results).toEqual([2, 6, 10, 14, 18]);
  expect(ended).toEqual(items.toReversed());
  expect(await eachOf([], call)).toEqual([]);
});

test.each([
  [undefined, 16],
  [3, 3],
  [100, 40],
])("%s at a time: %i calls run at once", async (atATime, most) => {
  let [running, seen] = [0, 0];
  const call = async () => {
    seen = Math.max(seen, ++running);
    await turn();
    running -= 1;
  };
  await eachOf(Array.from({ length: 40 }), call, atATime);
  expect(seen).toBe(most);
});

test("the first failure begins no further call and waits for those under way", async () => {
  const ended: number[] = [];
  const gate = Promise.withResolvers<void>();
  const call = async (item: number) => {
    if (item !== 1) await gate.promise;
    ended.push(item);
    if (item > 0) throw new Error(`call ${item}`);
  };
  const failing = rejection(eachOf([0, 1, 2, 3, 4, 5], call, 3));
  await turn();
  expect(ended).toEqual([1]);
  gate.resolve();
  expect(await failing).toMatchObject({ message: "call 1" });
  expect(ended).toEqual([1, 0, 2]);
  await turn(); // a further call would not have waited for anything
  expect(ended.length).toBe(3);
});

test("a call that throws at once is a failure like any other", async () => {
  const call = () => {
    throw new Error("at once");
  };
  expect(await rejection(eachOf([1, 2], call))).toMatchObject({ message: "at once" });
});
