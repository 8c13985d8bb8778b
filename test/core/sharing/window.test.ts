// Whose a chunk buffer is: nobody gets one that a write may still be reading.
import { expect, test } from "vitest";
import { createMemoryBudget } from "../../../src/core/memory/budget.ts";
import { TransferWindow } from "../../../src/core/memory/window.ts";

const chunkBytes = 1024;
const digest = "ab".repeat(32);

async function published(residence: "writing" | "unstored") {
  const window = new TransferWindow(chunkBytes, createMemoryBudget(8 * chunkBytes));
  const buffer = (await window.room()).fill(7);
  const cursor = window.open(0);
  window.publish(0, digest, buffer, residence);
  return { window, buffer, cursor };
}

const scribbleOn = async (cursor: { next(): Promise<{ bytes: Uint8Array | undefined } | undefined> }) => {
  const bytes = (await cursor.next())?.bytes;
  expect(bytes).toEqual(new Uint8Array(chunkBytes).fill(7));
  return bytes?.fill(9);
};

test("a chunk that is being written is handed out as a copy", async () => {
  const { buffer, cursor } = await published("writing");
  await scribbleOn(cursor);
  expect(buffer[0]).toBe(7);
});

test("so is one whose write was given up: it may still go on", async () => {
  const { window, buffer, cursor } = await published("writing");
  window.settle(0, "unstored");
  await scribbleOn(cursor);
  expect(buffer[0]).toBe(7);
  await window.room(); // makes room by forgetting, and fills no buffer that the write may read
  expect((await window.room()) === buffer).toBe(false);
});

test("the only reader of a chunk that needs no write gets the very buffer", async () => {
  const { buffer, cursor } = await published("unstored");
  expect(await scribbleOn(cursor)).toBe(buffer);
});

test("a stored chunk that all have read is filled again", async () => {
  const { window, buffer, cursor } = await published("writing");
  await cursor.next();
  window.settle(0, "stored");
  const taken = await Promise.all(Array.from({ length: 8 }, () => window.room()));
  expect(taken).toContain(buffer);
});
