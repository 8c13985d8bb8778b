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

test("one that is looked at is a copy, and stays where it is", async () => {
  const { buffer, cursor } = await published("unstored");
  for (let round = 0; round < 2; round++) {
    const looked = await cursor.look(0);
    expect(looked).toMatchObject({ index: 0, digest, bytes: new Uint8Array(chunkBytes).fill(7) });
    (looked as { bytes: Uint8Array }).bytes.fill(9);
  }
  expect(await scribbleOn(cursor)).toBe(buffer);
});

test("who looks for a chunk is told as soon as no room can come for it but by reading on", async () => {
  const { window, cursor } = await published("unstored"); // of 8 that there is memory for
  const looking = cursor.look(8);
  const buffers = await Promise.all(Array.from({ length: 7 }, () => window.room()));
  const room = window.room();
  for (const [index, buffer] of buffers.entries()) {
    const early = await Promise.race([looking, undefined]);
    expect(early).toBeUndefined(); // one more is being hashed, which may be a hole
    window.publish(index + 1, digest, buffer, "unstored");
  }
  expect(await looking).toBe("held-up");
  expect(await cursor.look(8)).toBe("held-up");
  const later = cursor.look(7);
  await cursor.next();
  window.publish(8, digest, await room, "unstored");
  expect(await later).toMatchObject({ index: 7 });
  expect(await cursor.look(8)).toMatchObject({ index: 8 });
});

test("who looks for a chunk while the store writes waits for that, and counts as held up by it", async () => {
  const { window, cursor } = await published("writing");
  const looking = cursor.look(8);
  const buffers = await Promise.all(Array.from({ length: 7 }, () => window.room()));
  const room = window.room();
  for (const [index, buffer] of buffers.entries()) window.publish(index + 1, digest, buffer, "writing");
  await new Promise((resolve) => setTimeout(resolve));
  expect(window.isHeldUpByStore).toBe(true);
  window.settle(0, "stored");
  window.publish(8, digest, await room, "writing");
  expect(await looking).toMatchObject({ index: 8 });
  expect(window.isHeldUpByStore).toBe(false);
});

test("who looks for a chunk behind the end, or of a transfer that fails, is told", async () => {
  const ended = await published("unstored");
  const behind = ended.cursor.look(1);
  ended.window.end();
  expect(await behind).toBeUndefined();
  const failed = await published("unstored");
  const lost = failed.cursor.look(1);
  failed.window.fail(new Error("lost"));
  await expect(lost).rejects.toThrow("lost");
});
