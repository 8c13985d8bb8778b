// Encoded chunks through all that moves chunks: a transfer that is taken up, a follower, an edit, a disk, and what a journal says of them.
import { describe, expect, test, vi } from "vitest";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { gzipEncoding, nodeHash, zstdEncoding } from "../../../src/adapters/node/index.ts";
import { webHash } from "../../../src/core/digest.ts";
import { createMemoryBudget } from "../../../src/core/memory/budget.ts";
import { TransferWindow } from "../../../src/core/memory/window.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { createChunkSink } from "../../../src/core/transfer/chunk-sink.ts";
import { createChunkWriter } from "../../../src/core/transfer/chunk-writer.ts";
import { placeOf } from "../../support/chunk-place.ts";
import { bytesOf, collect, rejection } from "../../support/collect.ts";
import { newBase } from "../../support/fs-store.ts";
import { noise } from "../../support/own-parts.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { read } from "../../support/stored-values.ts";
import { createTestManager } from "../../support/test-manager.ts";
import { nothingOnItsWay, standingStill } from "../parts/kills.ts";
import { encodings, formsIn, toldAndTrue } from "./support.ts";

const api = await sharedApi({ assets: true, imageBytes: 12 * 1024 * 1024 });
const image = api.image(slug, version);
const freshness = { maxAgeMs: 1e9 };
const lease = { heartbeatMs: 100, ttlMs: 1_500, pollMs: 10 };

describe.each(encodings)("%s", (_, encoding) => {
  test("a transfer that ended half-way is taken up, and the manifest knows the chunks of both", async () => {
    const storage = memoryAdapter();
    const total = (await image.gzBytes()) - 20;
    const upstream = standingStill(Math.floor(total / 2));
    const first = createTestManager(api, { storage, fetch: upstream.fetch, encoding: encoding() });
    const reading = first.manager.get(slug, version).then(collect);
    reading.catch(() => undefined);
    await upstream.stopped;
    await first.manager.close();
    await rejection(reading);
    await nothingOnItsWay(api);
    api.counters.reset();
    const { manager } = createTestManager(api, { storage, encoding: encoding(), freshness });
    const stream = await manager.get(slug, version);
    expect((await collect(stream)).sha256).toBe(await image.sha256);
    const info = await stream.committed();
    expect(api.counters.assetBytes).toBeLessThan(0.9 * total);
    const told = await toldAndTrue(storage, info!.id);
    expect(told.told).toEqual(told.true);
    expect(await formsIn(storage)).toEqual(new Set([encoding().format]));
    await manager.close();
  });

  test("another process reads along, and one transfer serves both", async () => {
    const storage = fsAdapter({ base: await newBase() });
    const made = () =>
      createTestManager(api, { storage, encoding: encoding(), hash: nodeHash, lease, freshness }).manager;
    const [one, other] = [made(), made()];
    const streams = await Promise.all([one.get(slug, version), other.get(slug, version)]);
    for (const { sha256 } of await Promise.all(streams.map(collect))) expect(sha256).toBe(await image.sha256);
    expect(api.counters.assetBytes).toBeLessThan(1.1 * (await image.gzBytes()));
    await Promise.all([one.close(), other.close()]);
  });

  test("an edit is laid over them", async () => {
    const { manager } = createTestManager(api, { encoding: encoding(), freshness });
    await manager.prefetch(slug, version);
    const start = 5 * 1024 * 1024 - 3;
    const stream = await manager.get(slug, version, {
      edit: async ({ read }) => [{ start, bytes: (await read(start, start + 6)).map((byte) => byte ^ 0xff) }],
    });
    const [edited, plain] = [await bytesOf(stream), await image.bytes()];
    expect(Buffer.from(edited.subarray(start, start + 6))).toEqual(
      Buffer.from(plain.subarray(start, start + 6).map((byte) => byte ^ 0xff)),
    );
    edited.set(plain.subarray(start, start + 6), start);
    expect(Buffer.compare(edited, plain)).toBe(0);
    await manager.close();
  });
});

test("a process that can't decode what another one stores has the image all the same, and says why", async () => {
  const storage = fsAdapter({ base: await newBase() });
  const one = createTestManager(api, { storage, encoding: zstdEncoding(), lease, freshness });
  const other = createTestManager(api, { storage, lease, freshness });
  const first = await one.manager.get(slug, version);
  const [leader, follower] = await Promise.all([
    collect(first),
    other.manager.get(slug, version).then(collect),
  ]);
  expect([leader.sha256, follower.sha256]).toEqual([await image.sha256, await image.sha256]);
  expect(other.events.of("store-fault")[0]?.cause).toMatchObject({ code: "STORE", format: "zstd" });
  expect(await formsIn(storage)).toEqual(new Set(["zstd"]));
  await Promise.all([one.manager.close(), other.manager.close()]);
});

test("a slow encoder keeps nobody waiting: readers have all of the image before it is stored", async () => {
  const gate = Promise.withResolvers<void>();
  const encode = async (bytes: Uint8Array<ArrayBuffer>) => {
    await gate.promise;
    return bytes;
  };
  const { manager } = createTestManager(api, { encoding: { format: "gzip", encode }, freshness });
  const reader = (await manager.get(slug, version, { range: { start: 0, end: 512 * 1024 } })).getReader();
  expect((await reader.read()).done).toBe(false);
  gate.resolve();
  await reader.cancel();
  await manager.close();
});

/** A transfer of 64 chunks with a reader, whose writes wait until they may end. */
function heldUp(stopEncoding: () => boolean) {
  const chunkBytes = 1024;
  const window = new TransferWindow(chunkBytes, createMemoryBudget(16 * chunkBytes));
  const gate = Promise.withResolvers<boolean>();
  const onStoreFault = vi.fn();
  const writer = { write: () => gate.promise, stopEncoding: vi.fn(stopEncoding) };
  const sink = createChunkSink(window, writer, webHash, 20, onStoreFault);
  const read = async () => {
    const cursor = window.open(0);
    while (await cursor.next());
    cursor.close();
  };
  const write = async () => {
    sink.begin(0);
    await sink.write(noise(64 * chunkBytes));
    await sink.finish();
    window.end();
  };
  return {
    window,
    writer,
    onStoreFault,
    release: () => gate.resolve(true),
    done: Promise.all([read(), write()]),
  };
}

describe("a delivery that is held up", () => {
  test("goes on without encoding, and is stored", async () => {
    const { window, writer, onStoreFault, release, done } = heldUp(() => true);
    await vi.waitFor(() => expect(writer.stopEncoding).toHaveBeenCalled());
    release();
    await done;
    expect(window.storedCount).toBe(64);
    expect(onStoreFault).not.toHaveBeenCalled();
  });

  test("goes on without the store if nothing was encoded", async () => {
    const { onStoreFault, done } = heldUp(() => false);
    await done;
    expect(onStoreFault).toHaveBeenCalledTimes(1);
  });
});

test("a writer that is to stop encoding writes the chunks that come as they are", async () => {
  const storage = memoryAdapter();
  const place = placeOf(createByteStore(storage, "p"), gzipEncoding());
  const writer = createChunkWriter({ ...place, memory: createMemoryBudget(1e6) }, async () => true);
  const chunk = new Uint8Array(100_000).fill(7);
  expect(await writer.write("aa".repeat(32), chunk)).toBe(true);
  expect([writer.stopEncoding(), writer.stopEncoding()]).toEqual([true, false]);
  expect(await writer.write("bb".repeat(32), chunk)).toBe(true);
  const lengthOf = async (key: string) => (await read(storage, `p:v1:chunks:${key}`)).length;
  expect(await lengthOf(`aa:${"aa".repeat(32)}`)).toBeLessThan(1_000);
  expect(await lengthOf(`bb:${"bb".repeat(32)}`)).toBe(100_000);
});

test("no more chunks are encoded at once than memory has room for, and one at least", async () => {
  let [running, most] = [0, 0];
  const encode = async (bytes: Uint8Array<ArrayBuffer>) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return bytes;
  };
  const place = placeOf(createByteStore(memoryAdapter(), "p"), { format: "gzip", encode });
  for (const [memoryBytes, expected] of [
    [3_500, 3],
    [10, 1],
  ] as const) {
    const memory = createMemoryBudget(memoryBytes);
    const writer = createChunkWriter({ ...place, memory }, async () => true);
    most = 0;
    await Promise.all(
      [...Array(8).keys()].map((n) => writer.write(`${n}`.repeat(64), new Uint8Array(1_000))),
    );
    expect(most).toBe(expected);
    expect(memory.usedBytes).toBe(0);
  }
});
