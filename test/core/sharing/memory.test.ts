// Chunk buffers stay within the budget, whatever the paces of network, store and readers; and nobody waits for ever.
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { webHash } from "../../../src/core/digest.ts";
import { createMemoryBudget, type MemoryBudget } from "../../../src/core/memory/budget.ts";
import type { Cursor } from "../../../src/core/memory/cursor.ts";
import { TransferWindow } from "../../../src/core/memory/window.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { digestChunk, writeChunk } from "../../../src/core/store/chunk-store.ts";
import type { Manifest } from "../../../src/core/store/manifest.ts";
import { readImage } from "../../../src/core/store/read-image.ts";
import { createChunkSink } from "../../../src/core/transfer/chunk-sink.ts";
import { createChunkWriter } from "../../../src/core/transfer/chunk-writer.ts";
import { sleep } from "../../../src/core/waiting.ts";
import { placeOf } from "../../support/chunk-place.ts";
import { collect } from "../../support/collect.ts";
import { collectGarbage } from "../../support/collect-garbage.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { noise } from "../../support/scripted-upstream.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes as managerChunkBytes } from "../../support/test-manager.ts";
import { MiB, paced, processOver, readSome } from "./support.ts";

const chunkBytes = 1024;
const chunks = 64;
const image = noise(chunks * chunkBytes);
const noFault = (cause: unknown) => expect.unreachable(String(cause));

/** Sends the image through a sink; reports the most memory that was in use at any piece. */
async function transfer(
  window: TransferWindow,
  budget: MemoryBudget,
  storage = memoryAdapter(),
  isBroken = false,
) {
  const sink = createChunkSink(
    window,
    createChunkWriter({ ...placeOf(createByteStore(storage, "p")), memory: budget }, async () => true),
    webHash,
    5_000,
    isBroken ? () => undefined : noFault,
  );
  let peakBytes = 0;
  sink.begin(0);
  for (let at = 0; at < image.length; at += 700) {
    await sink.write(image.subarray(at, at + 700));
    peakBytes = Math.max(peakBytes, budget.usedBytes);
  }
  await sink.finish();
  window.end();
  return peakBytes;
}

/** A reader, slow or not: it takes so long for each chunk. */
async function readAll(cursor: Cursor, delayMs = 0): Promise<number> {
  let held = 0;
  for (let chunk = await cursor.next(); chunk; chunk = await cursor.next()) {
    if (chunk.bytes) held += 1;
    if (delayMs > 0) await sleep(delayMs);
  }
  cursor.close();
  return held;
}

/** A slow store: every write takes a while. */
function slowStore(delayMs: number) {
  const driver = memoryAdapter();
  const write = driver.setItemRaw!;
  driver.setItemRaw = async (...args) => {
    await sleep(delayMs);
    return write(...args);
  };
  return driver;
}

describe("the budget", () => {
  test("is kept, but for one chunk that each may always hold", () => {
    const budget = createMemoryBudget(100);
    const [a, b, c] = [budget.open(), budget.open(), budget.open()];
    expect([a.tryTake(60), b.tryTake(30), b.tryTake(30), c.tryTake(60)]).toEqual([true, true, false, true]);
    expect(budget.usedBytes).toBe(150);
    a.give(60);
    expect([b.tryTake(30), a.tryTake(5)]).toEqual([false, true]);
    for (const account of [a, b, c]) account.close();
    expect(budget.usedBytes).toBe(0);
  });

  test("asks the others for what they can spare before it says no", () => {
    const budget = createMemoryBudget(100);
    let spare = 2;
    const rich = budget.open(() => {
      if (spare === 0) return false;
      spare -= 1;
      rich.give(40);
      return true;
    });
    expect(rich.tryTake(40) && rich.tryTake(40)).toBe(true);
    const other = budget.open();
    expect([other.tryTake(20), other.tryTake(20), spare]).toEqual([true, true, 1]);
    rich.close();
    expect(budget.usedBytes).toBe(40);
  });

  test("gives back nothing twice", () => {
    const budget = createMemoryBudget(100);
    const [a, b] = [budget.open(), budget.open()];
    a.tryTake(50);
    b.tryTake(50);
    a.close();
    a.give(50);
    a.close();
    expect(budget.usedBytes).toBe(50);
  });
});

describe("a transfer's window", () => {
  test.each([
    ["alone", 4],
    ["with the least budget", 1],
    ["with more than it wants", 1000],
  ])("a fast network and a slow store (%s)", async (_, budgetChunks) => {
    const budget = createMemoryBudget(budgetChunks * chunkBytes);
    const window = new TransferWindow(chunkBytes, budget);
    const reader = readAll(window.open(0));
    const peakBytes = await transfer(window, budget, slowStore(2));
    await reader;
    expect(peakBytes).toBeLessThanOrEqual(Math.min(8, budgetChunks) * chunkBytes);
    expect(budget.usedBytes).toBe(0);
  });

  test("readers of every pace, and one that never reads, hold up nobody while the store works", async () => {
    const budget = createMemoryBudget(6 * chunkBytes);
    const window = new TransferWindow(chunkBytes, budget);
    const never = window.open(0);
    const readers = Array.from({ length: 50 }, (_, index) => readAll(window.open(0), index % 7));
    expect(await transfer(window, budget)).toBeLessThanOrEqual(6 * chunkBytes);
    await Promise.all(readers);
    expect(budget.usedBytes).toBeLessThanOrEqual(6 * chunkBytes); // for the one that may yet come
    never.close();
    expect(budget.usedBytes).toBe(0);
  });

  test("without a store, one that never reads does not hold up one that reads", async () => {
    const budget = createMemoryBudget(1000 * chunkBytes);
    const window = new TransferWindow(chunkBytes, budget);
    const broken = faultyDriver(memoryAdapter(), { operation: "setItemRaw", does: "throw" });
    const never = window.open(0);
    const reader = readAll(window.open(0));
    const peakBytes = await transfer(window, budget, broken, true);
    expect(peakBytes).toBeLessThanOrEqual(8 * chunkBytes);
    expect(await reader).toBe(chunks); // it was always there in time
    never.close();
    expect(budget.usedBytes).toBe(0);
  });

  test("without a store, a reader that begins to wait late lets the transfer go on", async () => {
    const budget = createMemoryBudget(1000 * chunkBytes);
    const window = new TransferWindow(chunkBytes, budget);
    const broken = faultyDriver(memoryAdapter(), { operation: "setItemRaw", does: "throw" });
    const never = window.open(0);
    const reader = window.open(0);
    const transferring = transfer(window, budget, broken, true);
    // By the time of its last read of what is there, the transfer waits for room already.
    for (let index = 0; index < chunks; index++) {
      await sleep(2); // a slow reader
      expect((await reader.next())?.bytes).toBeDefined();
    }
    await transferring;
    for (const cursor of [never, reader]) cursor.close();
    expect(budget.usedBytes).toBe(0);
  });

  test("without a store, two readers of one pace set that of the transfer", async () => {
    const budget = createMemoryBudget(1000 * chunkBytes);
    const window = new TransferWindow(chunkBytes, budget);
    const broken = faultyDriver(memoryAdapter(), { operation: "setItemRaw", does: "throw" });
    const [one, other] = [readAll(window.open(0), 2), readAll(window.open(0), 2)];
    await transfer(window, budget, broken, true);
    expect([await one, await other]).toEqual([chunks, chunks]);
    expect(budget.usedBytes).toBe(0);
  });
});

test("a cached image that is left while a chunk is being read gives back all its memory", async () => {
  const store = createByteStore(memoryAdapter(), "p");
  const digests = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const chunk = image.slice(index * chunkBytes, (index + 1) * chunkBytes);
      const { digest } = await digestChunk(chunk);
      await writeChunk(placeOf(store), digest!, chunk);
      return digest;
    }),
  );
  const manifest = { size: 8 * chunkBytes, chunkBytes, chunks: digests } as unknown as Manifest;
  const budget = createMemoryBudget(100 * chunkBytes);
  const source = readImage({ ...placeOf(store), memory: budget }, manifest, 0, 8);
  const pending = source.next();
  expect(budget.usedBytes).toBe(2 * chunkBytes); // more once the store has shown how fast it is
  source.close();
  await pending;
  expect(budget.usedBytes).toBe(0);
});

describe("a manager", () => {
  const api = sharedApi({ imageBytes: 32 * MiB, holeFree: true });

  test("keeps its buffers near memoryBytes with a slow store and fifty readers of different speed", async () => {
    const { manager } = processOver(await api, {
      storage: slowStore(5),
      memoryBytes: 4 * MiB,
      chunkBytes: managerChunkBytes,
    });
    const heldBytes = async () => {
      await collectGarbage();
      return process.memoryUsage().arrayBuffers;
    };
    const before = await heldBytes();
    let peakBytes = 0;
    const watch = setInterval(async () => {
      peakBytes = Math.max(peakBytes, (await heldBytes()) - before);
    }, 100);
    const never = await manager.get(slug, version, { fileType: ".img" });
    const readers = Array.from({ length: 50 }, async (_, index) => {
      const stream = await manager.get(slug, version, { fileType: ".img" });
      if (index % 10 !== 0) return readSome(stream, index * managerChunkBytes).then(() => stream.cancel());
      for await (const _piece of paced(stream, index / 10));
      return undefined;
    });
    await Promise.all(readers);
    clearInterval(watch);
    // The store's 32 MiB lie in memory as well.
    expect(peakBytes).toBeLessThan((32 + 4 + 50 + 100) * MiB);
    expect((await collect(never)).sha256).toBe(await (await api).image(slug, version).sha256);
    expect((await api).counters.transfers).toBe(1);
  });
});
