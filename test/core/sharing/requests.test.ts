// How many requests a first get costs a store, all counted: chunks, pieces, journal, lease, manifest, and what is deleted again.
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { collect } from "../../support/collect.ts";
import { type FaultyDriver, faultyDriver } from "../../support/faulty-driver.ts";
import { cut, managerOver, noise, serving } from "../../support/own-parts.ts";
import { chunkBytes, type TestManagerOptions } from "../../support/test-manager.ts";

/** As many as an image of 512 MiB has. */
const chunks = 128;
const mayBeTooSlow = 120_000;
const plain = cut(noise(chunks * chunkBytes), (chunks * chunkBytes) / 2, "identity");
const packed = cut(compressible(chunks), (chunks * chunkBytes) / 2);

/** Chunks that deflate to a fifth. */
function compressible(count: number): Uint8Array<ArrayBuffer> {
  const bytes = noise(count * chunkBytes);
  for (let at = 0; at < bytes.length; at += 1_000) bytes.fill(7, at + 195, at + 1_000);
  return bytes;
}

async function requestsOfGet(
  list: typeof plain,
  driver: FaultyDriver,
  fetchParts: typeof fetch,
  options: TestManagerOptions = {},
): Promise<number> {
  const { manager, events } = managerOver(list, fetchParts, { storage: driver, ...options });
  const stream = await manager.get("board", "1.0.0");
  await collect(stream);
  expect(await stream.committed()).toBeDefined();
  await manager.close();
  expect(events.of("store-fault")).toEqual([]);
  return driver.calls.length;
}

const segmentsOf = ({ calls }: FaultyDriver) =>
  calls.filter(
    ({ operation, key }) =>
      operation === "setItemRaw" && /:partials:.*:\d+:\d+$/.test(key) && !key.includes(":wire:"),
  );
const piecesOf = ({ calls }: FaultyDriver) =>
  calls.filter(({ operation, key }) => operation === "setItemRaw" && key.includes(":wire:"));

describe("a first get", () => {
  // Time stands still, so that a busy machine makes no difference.
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("over a fast link costs at most 1.3 requests a chunk", async () => {
    const driver = faultyDriver(memoryAdapter());
    const requests = await requestsOfGet(plain, driver, serving(plain.files).fetch, { keepWireBytes: false });
    expect(requests / chunks).toBeLessThan(1.3);
    expect(segmentsOf(driver).length).toBeLessThanOrEqual(1 + chunks / 16);
  });

  test("that keeps compressed bytes, which are a fifth, costs at most 1.6 plus the fixed ones", async () => {
    const driver = faultyDriver(memoryAdapter());
    const requests = await requestsOfGet(packed, driver, serving(packed.files).fetch);
    expect(piecesOf(driver).length).toBeGreaterThan(15);
    expect(requests / chunks).toBeLessThan(1.6 + 15 / chunks);
    expect(segmentsOf(driver).length).toBeLessThan(piecesOf(driver).length);
  });
});

test("over a slow link, a journal has a segment a second", { timeout: mayBeTooSlow }, async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const driver = faultyDriver(memoryAdapter());
    const everyMs = 125;
    const stored = () =>
      driver.calls.filter(({ operation, key }) => operation === "setItemRaw" && key.includes(":chunks:"))
        .length;
    const paced = pacedBodies(async (pieces) => {
      while (stored() < pieces - 1) await setImmediate();
      await vi.advanceTimersByTimeAsync(everyMs);
    });
    const requests = await requestsOfGet(plain, driver, paced, { keepWireBytes: false });
    const seconds = (chunks * everyMs) / 1_000;
    expect(segmentsOf(driver).length).toBeGreaterThanOrEqual(seconds - 1);
    expect(segmentsOf(driver).length).toBeLessThanOrEqual(seconds + 2);
    // A segment, and one beat of the lease, which is a read and a write, every two seconds. Segments are deleted at the end.
    expect(requests).toBeLessThan(chunks + 3 * seconds + 16);
  } finally {
    vi.useRealTimers();
  }
});

/** Bodies of a chunk at a time, each when `before` says so. */
function pacedBodies(before: (pieces: number) => Promise<void>): typeof fetch {
  const served = serving(plain.files);
  let pieces = 0;
  return async (input, init) => {
    const response = await served.fetch(input, init);
    const bytes = new Uint8Array(await response.arrayBuffer());
    let at = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          await before(pieces++);
          controller.enqueue(bytes.slice(at, at + chunkBytes));
          at += chunkBytes;
          if (at >= bytes.length) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, response);
  };
}
