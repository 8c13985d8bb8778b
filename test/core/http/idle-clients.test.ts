// Clients that ask and never read: what they hold is `memoryBytes` for all of them, and one chunk for each.
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createMemoryBudget } from "../../../src/core/memory/budget.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { readImage } from "../../../src/core/store/read-image.ts";
import { placeOf } from "../../support/chunk-place.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { createTestHandler } from "./support.ts";

const chunks = 16;
const api = await sharedApi({ imageBytes: chunks * chunkBytes, holeFree: true });
const path = `/images/${slug}/${version}`;

test("many streams of which each has handed out a chunk hold no more than the budget", async () => {
  const image = { size: chunks * chunkBytes, chunkBytes, chunks: Array<null>(chunks).fill(null) };
  const memory = createMemoryBudget(4 * chunkBytes);
  const place = { ...placeOf(createByteStore(memoryAdapter(), "p")), memory };
  const sources = Array.from({ length: 64 }, () => readImage(place, image, 0, chunks));
  for (const source of sources) expect((await source.next())?.length).toBe(chunkBytes);
  expect(memory.usedBytes).toBeLessThanOrEqual(4 * chunkBytes);
  for (const source of sources) expect((await source.next())?.length).toBe(chunkBytes); // and none of them starves
  for (const source of sources) source.close();
  expect(memory.usedBytes).toBe(0);
});

test("clients that never read have as many chunks read for them as there are clients, and as the budget holds", async () => {
  const storage = faultyDriver(memoryAdapter());
  const { send, manager } = createTestHandler(api, {
    storage,
    memoryBytes: 4 * chunkBytes,
    freshness: { maxAgeMs: 1e9 },
  });
  await manager.prefetch(slug, version);
  storage.calls.splice(0);
  const clients = 64;
  const responses = await Promise.all(Array.from({ length: clients }, () => send(path)));
  const reads = () => storage.calls.filter(({ key }) => key.includes(":chunks:")).length;
  await manager.inspect(slug, version); // a turn or more for what would still be begun
  expect(reads()).toBeGreaterThanOrEqual(clients);
  expect(reads()).toBeLessThanOrEqual(clients + 4);
  for (const { body } of responses) await body?.cancel();
});

test("as many lists are made at once as images may be sent", async () => {
  const { send, manager } = createTestHandler(api, {}, { maxTransfers: 1 });
  await manager.prefetch(slug, version);
  const [one, other] = await Promise.all([send("/images"), send("/images")]);
  expect([one.status, other.status].sort()).toEqual([200, 503]);
  expect((await send("/images")).status).toBe(200);
});
