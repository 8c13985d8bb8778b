// How far a stored image is read ahead: by bytes, within bounds, and never beyond the memory budget.
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { webHash } from "../../../src/core/digest.ts";
import { createMemoryBudget } from "../../../src/core/memory-budget.ts";
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
])("$reads chunks of $chunkBytes bytes within $memoryBytes", ({ chunkBytes, memoryBytes, reads }) => {
  let started = 0;
  const getItemRaw = () => {
    started += 1;
    return new Promise<null>(() => undefined); // never answers: all that is ahead stays under way
  };
  const store = createByteStore({ ...memoryAdapter(), getItemRaw }, "p", 1);
  const chunks = Array.from({ length: 40 }, (_, index) => index.toString(16).padStart(64, "0"));
  const budget = createMemoryBudget(memoryBytes);
  const source = readImage(
    { store, hash: webHash, memory: budget },
    { size: 40 * chunkBytes, chunkBytes, chunks },
    0,
    40,
  );
  source.next().catch(() => undefined);
  expect(started).toBe(reads);
  expect(budget.usedBytes).toBe(reads * chunkBytes);
  source.close();
});
