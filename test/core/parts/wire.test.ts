// Compressed bytes of the part that is under way: a process that goes on after a killed one has them, and fetches no more than the rest.
import { describe, expect, test } from "vitest";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageInfo, ImageManager, PartialImageInfo, StoreDriver } from "../../../src/core/index.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { readJournal } from "../../../src/core/store/journal.ts";
import { chunkKey } from "../../../src/core/store/keys.ts";
import { fakeClock } from "../../support/clock.ts";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { newBase } from "../../support/fs-store.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { killedAfter, nothingOnItsWay, wireKeys } from "./kills.ts";

const api = await sharedApi({ assets: true, imageBytes: 24 * 1024 * 1024, holeFree: true });
const image = () => api.image(slug, version);
const total = (await image().gzBytes()) - 20;
/** A piece that is being filled, one that is being written, and what a server sends at a time. */
const lostBytes = 2 * chunkBytes + 64 * 1024;

const stores: readonly (readonly [string, readonly number[], () => Promise<StoreDriver>])[] = [
  ["memory", [0.08, 0.21, 0.33, 0.49, 0.58, 0.71, 0.83, 0.96], async () => memoryAdapter()],
  ["fs", [0.3, 0.6, 0.93], async () => fsAdapter({ base: await newBase() })],
];

/** A get to the end, that must be right. Says how many bytes of parts it fetched. */
async function getRest(storage: StoreDriver, options: TestManagerOptions = {}): Promise<number> {
  api.counters.reset();
  const { manager } = createTestManager(api, { ...options, storage });
  const stream = await manager.get(slug, version);
  expect((await collect(stream)).sha256).toBe(await image().sha256);
  expect(await stream.committed()).toBeDefined();
  await manager.close();
  await nothingOnItsWay(api);
  expect(await storage.getKeys("balena-images:v1:partials:", {})).toEqual([]);
  expect(await storage.getKeys("balena-images:v1:leases:", {})).toEqual([]);
  return api.counters.assetBytes;
}

describe.each(stores)("over a %s store, a process that was killed", (_, shares, newStore) => {
  test.each(shares)("after %f of the bytes costs no more than two pieces", async (share) => {
    const storage = await newStore();
    const got = Math.floor(total * share);
    await killedAfter(api, storage, got);
    expect(await getRest(storage)).toBeLessThan(total - got + lostBytes);
  });

  test("several times costs no more than two pieces a kill", async () => {
    const storage = await newStore();
    let got = 0;
    for (const bytes of [0.2, 0.1, 0.02, 0.15, 0.2].map((share) => Math.floor(total * share))) {
      await killedAfter(api, storage, bytes);
      got += bytes;
    }
    expect(await getRest(storage)).toBeLessThan(total - got + 5 * lostBytes);
  });
});

test("a process that goes on reads what is kept of the part, and none of its chunks but the one that it shares", async () => {
  const storage = memoryAdapter();
  await killedAfter(api, storage, Math.floor(total * 0.45));
  const counting = faultyDriver(storage);
  const { manager } = createTestManager(api, { storage: counting });
  await manager.prefetch(slug, version);
  await manager.close();
  const reads = (kind: RegExp) =>
    counting.calls.filter(({ operation, key }) => operation === "getItemRaw" && kind.test(key)).length;
  expect(reads(/:wire:/)).toBeGreaterThan(3);
  expect(reads(/:chunks:/)).toBeLessThanOrEqual(1);
  const { manager: reader } = createTestManager(api, { storage });
  expect((await reader.verify()).damaged).toEqual([]);
  await reader.close();
});

test("a chunk of that part that is lost is made again", async () => {
  const storage = memoryAdapter();
  await killedAfter(api, storage, Math.floor(total * 0.45));
  const [, , , id = "", epoch] = (await wireKeys(storage))[0]!.split(":");
  const journal = await readJournal(createByteStore(storage, "balena-images"), id, [Number(epoch)]);
  const lost = journal!.digests.at(-2)!;
  await storage.removeItem!(`balena-images:${chunkKey(lost)}`, {});
  await getRest(storage);
  const { manager } = createTestManager(api, { storage });
  expect(await manager.verify()).toMatchObject({ damaged: [], images: 1 });
  await manager.close();
});

describe("what is kept", () => {
  test("of a part goes once the part is in the journal", async () => {
    const storage = memoryAdapter();
    const parts = new Set<string>();
    const seen = (keys: string[]) => keys.map((key) => /:wire:(\d+):/.exec(key)![1]!);
    const watched: StoreDriver = {
      ...storage,
      async setItemRaw(key, value, options) {
        for (const part of seen(await wireKeys(storage))) parts.add(part);
        return storage.setItemRaw!(key, value, options);
      },
    };
    await killedAfter(api, watched, Math.floor(total * 0.7), {}, async () => {
      await eventually(async () => expect(new Set(seen(await wireKeys(storage))).size).toBe(1));
    });
    expect(parts.size).toBeGreaterThan(1);
    await getRest(storage);
  });

  test("is nothing if it is turned off, and then the part comes again", async () => {
    const storage = memoryAdapter();
    const off = { keepWireBytes: false };
    await killedAfter(api, storage, Math.floor(total * 0.45), off);
    expect(await wireKeys(storage)).toEqual([]);
    expect(await getRest(storage, off)).toBeGreaterThan(total * 0.75);
  });

  test("counts as stored bytes, and goes with its partial", async () => {
    const storage = memoryAdapter();
    const { manager } = createTestManager(api, { storage });
    let partial: PartialImageInfo | undefined;
    await killedAfter(api, storage, Math.floor(total * 0.45), {}, async () => {
      partial = await eventually(async () => {
        const [one] = await listed(manager);
        if (!one || one.isComplete) throw new Error("There is no partial");
        const pieces = (await wireKeys(storage)).length;
        expect(pieces).toBeGreaterThan(3);
        expect(one.keptWireBytes).toBeGreaterThan((pieces - 1) * (chunkBytes - 32));
        return one;
      });
    });
    const clock = fakeClock();
    clock.advance(2 * 24 * 3600e3);
    const { freedBytes, partials } = await createTestManager(api, { storage, clock }).manager.prune();
    expect(partials).toBe(1);
    expect(freedBytes).toBeGreaterThanOrEqual(partial!.keptWireBytes);
    expect(await wireKeys(storage)).toEqual([]);
  });

  test("gives its room to the image", async () => {
    const storage = memoryAdapter();
    const { manager, events } = createTestManager(api, { storage, maxBytes: image().size });
    const stream = await manager.get(slug, version);
    await collect(stream);
    expect(await stream.committed()).toBeDefined();
    expect(events.of("store-fault")).toEqual([]);
    await manager.close();
    expect(await wireKeys(storage)).toEqual([]);
  });
});

describe("a piece", () => {
  const spoilt: readonly (readonly [string, (storage: StoreDriver, key: string) => Promise<unknown>])[] = [
    ["that is missing", async (storage, key) => storage.removeItem!(key, {})],
    ["that is cut short", async (storage, key) => storage.setItemRaw!(key, new Uint8Array(7), {})],
    [
      "with a flipped bit",
      async (storage, key) => {
        const bytes = new Uint8Array(await (storage.getItemRaw!(key, {}) as Promise<Uint8Array>));
        bytes[1000]! ^= 4;
        await storage.setItemRaw!(key, bytes, {});
      },
    ],
  ];
  test.each(spoilt)("%s is not used, nor are those after it", async (_, spoil) => {
    const storage = memoryAdapter();
    await killedAfter(api, storage, Math.floor(total * 0.45));
    const keys = (await wireKeys(storage)).sort((a, b) => numberOf(a) - numberOf(b));
    const third = keys[2]!;
    await spoil(storage, third);
    const fetched = await getRest(storage);
    const lost = (keys.length - 2) * chunkBytes;
    expect(fetched).toBeGreaterThan(total * 0.55 + lost - chunkBytes);
    expect(fetched).toBeLessThan(total * 0.55 + lost + lostBytes);
  });
});

async function listed(manager: ImageManager): Promise<(ImageInfo | PartialImageInfo)[]> {
  const found: (ImageInfo | PartialImageInfo)[] = [];
  for await (const info of manager.list()) found.push(info);
  return found;
}

const numberOf = (key: string) => Number(key.slice(key.lastIndexOf(":") + 1));

describe("the rest of a part", () => {
  const answers: readonly (readonly [string, (response: Response) => Response | undefined])[] = [
    ["412, because the file is another one", () => new Response("<Error/>", { status: 412 })],
    ["416, because the file is shorter", () => new Response("<Error/>", { status: 416 })],
    ["403, because the address has expired", () => new Response("<Error/>", { status: 403 })],
    ["404", () => new Response("<Error/>", { status: 404 })],
    ["another range than the one that was asked for", (response) => otherRange(response)],
    ["the rest of a file with another ETag", (response) => withHeader(response, "etag", '"another"')],
  ];
  test.each(answers)("whose request is answered once with %s comes all the same", async (_, answer) => {
    const storage = memoryAdapter();
    await killedAfter(api, storage, Math.floor(total * 0.45));
    let left = 1;
    const answering: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      const isRange = new Headers(init?.headers).has("range");
      if (!isRange || left === 0) return response;
      left -= 1;
      await response.body?.cancel();
      return answer(response) ?? response;
    };
    await getRest(storage, { fetch: answering });
    expect(left).toBe(0);
  });

  test("whose upstream ignores ranges comes with what is before it", async () => {
    const storage = memoryAdapter();
    await killedAfter(api, storage, Math.floor(total * 0.45));
    api.faults.assets.ranges = "off";
    await getRest(storage);
  });
});

function withHeader(response: Response, name: string, value: string): Response {
  const headers = new Headers(response.headers);
  headers.set(name, value);
  return new Response(new Uint8Array(10), { status: 206, headers });
}

const otherRange = (response: Response) => withHeader(response, "content-range", "bytes 5-14/20");
