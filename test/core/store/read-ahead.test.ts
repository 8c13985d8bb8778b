// How far a stored image is read ahead: by bytes, within bounds, and never beyond the memory budget.
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { sha256Hex, webHash } from "../../../src/core/digest.ts";
import { createMemoryBudget } from "../../../src/core/memory/budget.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { readImage } from "../../../src/core/store/read-image.ts";

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
    { store, hash: webHash, memory: budget },
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
  const source = readImage(
    { store, hash: webHash, memory },
    { size: 40 * MiB, chunkBytes: MiB, chunks },
    0,
    40,
  );
  source.next().catch(() => undefined);
  expect(started).toBe(2);
  source.close();
});
