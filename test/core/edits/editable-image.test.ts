/** The chunks that an edit's reads keep in memory go when others need it, but not while they are being copied. */
import { expect, test } from "vitest";
import type { ChunkAccess } from "../../../src/core/delivery/edits/chunk-access.ts";
import { createEditableImage } from "../../../src/core/delivery/edits/editable-image.ts";
import { createMemoryBudget } from "../../../src/core/memory/budget.ts";

const chunkBytes = 1000;
const chunks = 8;

/** Chunks filled with their index + 1; counts how often each is asked for. */
function access(): ChunkAccess & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    chunkBytes,
    asked,
    size: async () => chunks * chunkBytes,
    async chunk(index) {
      asked.push(index);
      return { digest: String(index), bytes: new Uint8Array(chunkBytes).fill(index + 1) };
    },
    close() {},
  };
}

function made(limitBytes: number) {
  const memory = createMemoryBudget(limitBytes);
  const from = access();
  const { signal } = new AbortController();
  const { image, close } = createEditableImage(memory, from, chunks * chunkBytes, [], signal);
  return { memory, from, image, close };
}

test("a chunk that was read is not asked for again as long as there is memory", async () => {
  const { image, from, memory, close } = made(3 * chunkBytes);
  for (const index of [0, 1, 2, 0, 1, 2, 3, 1, 2, 3, 0])
    expect(await image.read(index * chunkBytes, index * chunkBytes + 5)).toEqual(
      new Uint8Array(5).fill(index + 1),
    );
  expect(from.asked).toEqual([0, 1, 2, 3, 0]);
  expect(memory.usedBytes).toBe(3 * chunkBytes);
  close();
  expect(memory.usedBytes).toBe(0);
});

test("others get the memory when they need it", async () => {
  const { image, memory, from } = made(3 * chunkBytes);
  await image.read(0, 3 * chunkBytes);
  const other = memory.open();
  expect(other.tryTake(2 * chunkBytes)).toBe(true);
  await image.read(2 * chunkBytes, 3 * chunkBytes);
  expect(from.asked).toEqual([0, 1, 2]); // the newest is still there
});

test("a read is right, whenever others ask for memory", async () => {
  for (let delay = 0; delay < 30; delay++) {
    const { image, memory } = made(2 * chunkBytes);
    await image.read(0, 1);
    const other = memory.open();
    const reading = image.read(0, 2 * chunkBytes);
    for (let turn = 0; turn < delay; turn++) await undefined;
    while (other.tryTake(chunkBytes, false));
    const bytes = await reading;
    expect([bytes[0], bytes[chunkBytes - 1], bytes[chunkBytes], bytes.at(-1)], `${delay}`).toEqual([
      1, 1, 2, 2,
    ]);
    other.close();
  }
});

test("a chunk that can't be had costs no memory, and may be asked for again", async () => {
  const { image, memory, from } = made(2 * chunkBytes);
  const { chunk } = from;
  from.chunk = () => Promise.reject(new Error("not now"));
  for (let round = 0; round < 5; round++) await expect(image.read(0, 5)).rejects.toThrow("not now");
  expect(memory.usedBytes).toBe(0);
  from.chunk = chunk;
  expect(await image.read(0, 2)).toEqual(Uint8Array.of(1, 1));
});

test("an edit always has one chunk, however little memory there is", async () => {
  const { image, memory } = made(chunkBytes);
  const other = memory.open();
  expect(other.tryTake(chunkBytes)).toBe(true);
  const bytes = await image.read(0, chunks * chunkBytes);
  expect(bytes.at(-1)).toBe(chunks);
});
