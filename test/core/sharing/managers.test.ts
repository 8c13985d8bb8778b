// Managers over one store, each standing for a process: one transfer for all, and no end of its owner costs more than a second one.
import { describe, expect, test } from "vitest";
import type { GetOptions, StoreDriver } from "../../../src/core/index.ts";
import { fakeClock } from "../../support/clock.ts";
import { collect, rejection } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkBytes, type TestManager } from "../../support/test-manager.ts";
import { keysOf, MiB, processOver, readSome, settled, shortLease, stores } from "./support.ts";

const imageBytes = 2 * MiB;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const sha256 = await api.image(slug, version).sha256;
const raw = { fileType: ".img" } as const;
const years = 10 * 365 * 86_400_000;

/** Gets, and begins to read. */
async function begin({ manager }: TestManager, options: object = raw) {
  const stream = await manager.get(slug, version, options);
  await readSome(stream, chunkBytes);
  return stream;
}

const rest = { bytes: imageBytes - chunkBytes };
/** What a reader that has begun gets of the image. */
const restOf = collect(new Response(api.image(slug, version).bytes(chunkBytes)).body!).then(
  ({ sha256: digest }) => ({
    ...rest,
    sha256: digest,
  }),
);

describe.each(stores)("over %s", (_, newStore) => {
  test.each<GetOptions>([raw, {}])("followers read along while the transfer runs (%o)", async (options) => {
    const storage = await newStore();
    const [owner, ...followers] = Array.from({ length: 4 }, () => processOver(api, { storage }));
    const goOn = stallNext(api);
    const first = await begin(owner!, options);
    const others = await Promise.all(followers.map((follower) => begin(follower, options)));
    expect(api.counters).toMatchObject({ transfers: 1, openConnections: 1 }); // all have bytes, and it still runs
    goOn();
    const images = await Promise.all([first, ...others].map(collect));
    for (const image of images) expect(image).toMatchObject(await restOf);
    expect(api.counters).toMatchObject({ downloads: 1, openConnections: 0 });
    expect(owner!.events.of("committed")).toHaveLength(1);
    for (const { events } of followers) expect(events.of("committed")).toEqual([]);
    for (const stream of [first, ...others])
      expect(await stream.committed()).toMatchObject({ size: imageBytes });
    await settled(api, storage);
    expect(await keysOf(storage, /:partials:/)).toEqual([]);
  });

  test.each<
    [
      string,
      (owner: TestManager, ownerStore: ReturnType<typeof faultyDriver>, abort: AbortController) => unknown,
    ]
  >([
    ["is closed", (owner) => owner.manager.close()],
    ["is left by its reader", (_owner, _store, abort) => abort.abort(new Error("left"))],
    [
      "loses the store",
      (_owner, { faults }) =>
        faults.push(
          { operation: "setItemRaw", does: "throw" },
          { operation: "getItemRaw", does: "throw" },
          { operation: "removeItem", does: "throw" },
        ),
    ],
  ])("a follower takes over from an owner that %s", async (_way, end) => {
    const storage = await newStore();
    const ownerStore = faultyDriver(storage);
    const owner = processOver(api, { storage: ownerStore, lease: shortLease });
    const follower = processOver(api, { storage, lease: shortLease });
    const goOn = stallNext(api); // the owner must not have done its work before it ends
    const abort = new AbortController();
    const first = await begin(owner, { ...raw, signal: abort.signal });
    const second = await begin(follower);
    const firstEnd = collect(first).catch((failure: unknown) => failure);
    await eventually(async () => expect(await keysOf(storage, /:partials:.*:1:1$/)).toHaveLength(1)); // it names a chunk
    await end(owner, ownerStore, abort);
    goOn();
    expect(await collect(second)).toMatchObject(await restOf);
    expect(await second.committed()).toBeDefined();
    expect(api.counters.transfers).toBe(2);
    expect(follower.events.of("resumed")[0]?.fromByte).toBeGreaterThanOrEqual(chunkBytes);
    const firstResult = await firstEnd;
    if (ownerStore.faults.length > 0) {
      expect(firstResult).toMatchObject(await restOf);
      expect(owner.events.of("store-fault")).not.toEqual([]);
    } else expect(firstResult).toBeInstanceOf(Error);
    await settled(api, storage);
    expect(await keysOf(storage, /:partials:/)).toEqual([]);
  });

  type Theft = (storage: StoreDriver, key: string) => unknown;
  const encoded = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  test.each<[string, Theft]>([
    ["deleted", (storage, key) => storage.removeItem?.(key, {})],
    ["overwritten with garbage", (storage, key) => storage.setItemRaw?.(key, encoded(["?"]), {})],
    [
      "overwritten by another",
      (storage, key) => storage.setItemRaw?.(key, encoded({ owner: "thief", beat: 7 }), {}),
    ],
    [
      "passed over by another, who then dies",
      (storage, key) =>
        storage.createIfAbsent?.(key.replace(/1$/, "2"), encoded({ owner: "thief", beat: 0 })),
    ],
  ])("a live owner's lease is %s: a second transfer at worst", async (_way, steal) => {
    const storage = await newStore();
    const owner = processOver(api, { storage, lease: shortLease });
    const follower = processOver(api, { storage, lease: shortLease });
    const goOn = stallNext(api);
    const first = await begin(owner);
    const second = await begin(follower);
    await steal(storage, (await keysOf(storage, /:leases:/))[0]!);
    const third = await processOver(api, { storage, lease: shortLease }).manager.get(slug, version, raw);
    goOn();
    const [one, two, three] = await Promise.all([first, second, third].map(collect));
    expect(one).toMatchObject(await restOf);
    expect(two).toMatchObject(await restOf);
    expect(three).toMatchObject({ sha256 });
    expect(api.counters.transfers).toBeLessThanOrEqual(2);
    await eventually(() => expect(api.counters.openConnections).toBe(0));
    const again = await follower.manager.get(slug, version, { ...raw, cache: "only-if-cached" });
    expect((await collect(again)).sha256).toBe(sha256);
  });

  test("clocks that are years apart change nothing", async () => {
    const storage = await newStore();
    const [past, future, present] = [-years, years, 0].map((byMs) =>
      processOver(api, { storage, lease: shortLease, clock: fakeClock(Date.now() + byMs) }),
    ) as [TestManager, TestManager, TestManager];
    stallNext(api); // until its client leaves
    const first = await begin(past);
    const others = await Promise.all([begin(future), begin(present)]);
    expect(api.counters.transfers).toBe(1);
    await Promise.all([past.manager.close(), rejection(collect(first))]);
    for (const image of await Promise.all(others.map(collect))) expect(image).toMatchObject(await restOf);
    expect(api.counters.transfers).toBe(2);
    for (const { manager } of [future, present]) {
      expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
    }
    expect(api.counters.transfers).toBe(2);
  });

  test("chunks of another size: followers take them as they come, and take over in them", async () => {
    const storage = await newStore();
    const small = processOver(api, { storage, lease: shortLease });
    const large = processOver(api, { storage, lease: shortLease, chunkBytes: 3 * chunkBytes });
    stallNext(api); // until its client leaves
    const first = await begin(small);
    const second = await begin(large);
    expect(api.counters.transfers).toBe(1);
    await Promise.all([small.manager.close(), rejection(collect(first))]);
    expect(await collect(second)).toMatchObject(await restOf);
    expect(api.counters.transfers).toBe(2);
    expect((await collect(await large.manager.get(slug, version, raw))).sha256).toBe(sha256);

    // And a partial in small chunks, taken up by one who would have made large ones.
    await large.manager.cleanCache();
    const third = await begin(processOver(api, { storage, lease: shortLease }));
    await third.cancel();
    await settled(api, storage);
    const stream = await large.manager.get(slug, version, raw);
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(large.events.of("resumed").at(-1)?.fromByte).toBeGreaterThanOrEqual(chunkBytes);
  });

  test.each<[string, (storage: StoreDriver) => StoreDriver]>([
    ["has no createIfAbsent", ({ createIfAbsent: _none, ...storage }) => storage],
    ["says that it has none", (storage) => ({ ...storage, createIfAbsent: async () => "unsupported" })],
    ["lists incompletely", (storage) => ({ ...storage, capabilities: { completeListing: false } })],
  ])("a store that %s: correct, not shared", async (_what, change) => {
    const storage = change(await newStore());
    const processes = [processOver(api, { storage }), processOver(api, { storage })];
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    api.faults.stall = { atPercent: 50, until }; // none is done before the other has begun
    const streams = await Promise.all(processes.map(({ manager }) => manager.get(slug, version)));
    goOn();
    for (const image of await Promise.all(streams.map(collect))) expect(image.sha256).toBe(sha256);
    expect(api.counters.transfers).toBe(2);
    expect(await keysOf(storage, /:(leases|partials):/)).toEqual([]);
    for (const { events } of processes) expect(events.of("store-fault")).toEqual([]);
    const again = await processes[0]!.manager.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(again)).sha256).toBe(sha256);
  });
});
