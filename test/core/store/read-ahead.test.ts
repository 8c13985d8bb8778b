// How far a stored image is read ahead: by bytes, within bounds, and never beyond the memory budget.
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { sha256Hex } from "../../../src/core/digest.ts";
import { createMemoryBudget } from "../../../src/core/memory/budget.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { writeChunk } from "../../../src/core/store/chunk-store.ts";
import { type ImageReader, readImage } from "../../../src/core/store/read-image.ts";
import { placeOf } from "../../support/chunk-place.ts";

const MiB = 1024 * 1024;

test.each([
  { chunkBytes: MiB / 4, memoryBytes: 1024 * MiB, reads: 16 },
  { chunkBytes: MiB, memoryBytes: 1024 * MiB, reads: 16 },
  { chunkBytes: 4 * MiB, memoryBytes: 1024 * MiB, reads: 6 },
  { chunkBytes: 64 * MiB, memoryBytes: 1024 * MiB, reads: 4 },
  { chunkBytes: 4 * MiB, memoryBytes: 10 * MiB, reads: 2 },
  { chunkBytes: 64 * MiB, memoryBytes: 10 * MiB, reads: 1 },
])("$reads chunks of $chunkBytes bytes within $memoryBytes", async ({ chunkBytes, memoryBytes, reads }) => {
  let started = 0;
  const first = new Uint8Array(chunkBytes);
  const getItemRaw = () => {
    started += 1;
    // The first comes at once: the store is fast. The others never do: all that is ahead stays under way.
    return started === 1 ? first : new Promise<null>(() => undefined);
  };
  const store = createByteStore({ ...memoryAdapter(), getItemRaw }, "p");
  const chunks = Array.from({ length: 40 }, (_, index) => index.toString(16).padStart(64, "0"));
  chunks[0] = await sha256Hex(first);
  const budget = createMemoryBudget(memoryBytes);
  const source = readImage(
    { ...placeOf(store), memory: budget },
    { size: 40 * chunkBytes, chunkBytes, chunks },
    0,
    40,
  );
  expect(await source.next()).toHaveLength(chunkBytes);
  source.next().catch(() => undefined);
  await expect.poll(() => started).toBe(reads + 1);
  expect(budget.usedBytes).toBe(reads * chunkBytes);
  source.close();
});

test("of a store that has not shown how fast it is, two chunks are asked for", async () => {
  let started = 0;
  const getItemRaw = () => {
    started += 1;
    return new Promise<null>(() => undefined);
  };
  const store = createByteStore({ ...memoryAdapter(), getItemRaw }, "p");
  const chunks = Array.from({ length: 40 }, (_, index) => index.toString(16).padStart(64, "0"));
  const memory = createMemoryBudget(1024 * MiB);
  const source = readImage({ ...placeOf(store), memory }, { size: 40 * MiB, chunkBytes: MiB, chunks }, 0, 40);
  source.next().catch(() => undefined);
  expect(started).toBe(2);
  source.close();
});

/** A reader of eight chunks, filled with their index + 1, within a budget; and which were read. */
async function readerWithin(memoryBytes: number) {
  const store = createByteStore(memoryAdapter(), "p");
  const chunks = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const chunk = new Uint8Array(1000).fill(index + 1);
      const digest = await sha256Hex(chunk);
      await writeChunk(placeOf(store), digest, chunk);
      return digest;
    }),
  );
  const read: string[] = [];
  const counting = {
    ...store,
    read(...args: Parameters<typeof store.read>) {
      read.push(args[0]);
      return store.read(...args);
    },
  };
  const memory = createMemoryBudget(memoryBytes);
  const place = { ...placeOf(counting), memory };
  return { memory, read, reader: readImage(place, { size: 8000, chunkBytes: 1000, chunks }, 0, 8) };
}

async function restOf(reader: ImageReader): Promise<number[]> {
  const values: number[] = [];
  for (let bytes = await reader.next(); bytes; bytes = await reader.next()) values.push(bytes[0]!);
  return values;
}

test("a chunk that is looked at is read once, and handed out when its turn comes", async () => {
  const { reader, read, memory } = await readerWithin(100_000);
  for (const index of [5, 0, 5, 7]) expect((await reader.look(index))?.[0]).toBe(index + 1);
  expect(await reader.look(8)).toBeUndefined();
  expect(await restOf(reader)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(await reader.look(7)).toBeUndefined();
  expect(read).toHaveLength(8);
  expect(memory.usedBytes).toBe(0);
});

test("what was looked at never keeps the next chunk out", async () => {
  const { reader, memory } = await readerWithin(2000);
  expect(await reader.look(6)).toBeDefined();
  expect(memory.open().tryTake(1000)).toBe(true);
  expect(await reader.look(3)).toBeUndefined(); // no memory is free
  expect(await restOf(reader)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test("what is read before anybody asks goes when others need memory, and takes none from them", async () => {
  const { reader, memory, read } = await readerWithin(4000);
  reader.readAhead();
  await expect.poll(() => read.length).toBe(4);
  await Promise.all([0, 1, 2, 3].map((index) => reader.look(index)));
  const other = memory.open(() => expect.unreachable("nobody may be asked to drop anything"));
  expect([1, 2, 3, 4].map(() => other.tryTake(1000))).toEqual([true, true, true, true]);
  reader.readAhead();
  expect(await reader.look(5)).toBeUndefined();
  expect(read).toHaveLength(4);
  other.close();
  expect(await restOf(reader)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});
