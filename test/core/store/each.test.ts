// Calls for many keys: how many at a time, in which order their results come, and what a failure leaves running.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { eachOf } from "../../../src/core/each.ts";
import { rejection } from "../../support/collect.ts";

test("results come in the order of the items, whichever call ends first", async () => {
  const slowestFirst = async (item: number) => {
    await sleep(10 - item);
    return item * 2;
  };
  expect(await eachOf([1, 3, 5, 7, 9], slowestFirst, 5)).toEqual([2, 6, 10, 14, 18]);
  expect(await eachOf([], slowestFirst)).toEqual([]);
});

test.each([
  [undefined, 16],
  [3, 3],
  [100, 40],
])("%s at a time: %i calls run at once", async (atATime, most) => {
  let [running, seen] = [0, 0];
  const call = async () => {
    seen = Math.max(seen, ++running);
    await sleep(1);
    running -= 1;
  };
  await eachOf(Array.from({ length: 40 }), call, atATime);
  expect(seen).toBe(most);
});

test("the first failure begins no further call and waits for those under way", async () => {
  const ended: number[] = [];
  const call = async (item: number) => {
    await sleep(item === 1 ? 1 : 20);
    ended.push(item);
    if (item > 0) throw new Error(`call ${item}`);
  };
  const failure = await rejection(eachOf([0, 1, 2, 3, 4, 5], call, 3));
  expect(failure).toMatchObject({ message: "call 1" });
  expect(ended.toSorted()).toEqual([0, 1, 2]);
  await sleep(30);
  expect(ended.length).toBe(3);
});

test("a call that throws at once is a failure like any other", async () => {
  const call = () => {
    throw new Error("at once");
  };
  expect(await rejection(eachOf([1, 2], call))).toMatchObject({ message: "at once" });
});
