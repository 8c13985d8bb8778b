// A store that fails does not fail the download: every byte is delivered, the event says why, nothing half-made is visible.
import { describe, expect, test } from "vitest";
import type { StoreDriver } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { faultyDriver, type StoreFault } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { keysOf, MiB, processOver, readSome, settled, shortLease, stores } from "./support.ts";

const imageBytes = 4 * MiB;
const chunks = imageBytes / chunkBytes;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const sha256 = await api.image(slug, version).sha256;
const raw = { fileType: ".img" } as const;

type Trouble = "is full" | "goes away" | "hangs";
const reasons: Record<Trouble, RegExp> = {
  "is full": /ENOSPC/,
  "goes away": /EIO/,
  hangs: /did not finish|delayed the delivery/,
};

/** A driver that is in trouble from its k-th write of a chunk on. */
function inTroubleFrom(driver: StoreDriver, k: number, trouble: Trouble): StoreDriver {
  let chunkWrites = 0;
  const fail = (code: string) => Promise.reject(Object.assign(new Error(`${code}: no luck`), { code }));
  const wrap =
    (name: string, original: (...args: unknown[]) => unknown) =>
    (...args: unknown[]) => {
      if (name === "setItemRaw" && String(args[0]).includes(":chunks:")) chunkWrites += 1;
      if (chunkWrites < k) return original.apply(driver, args);
      if (trouble === "hangs") return new Promise(() => {});
      if (trouble === "goes away") return fail("EIO");
      return name === "setItemRaw" || name === "createIfAbsent"
        ? fail("ENOSPC")
        : original.apply(driver, args);
    };
  const calls = ["getItemRaw", "setItemRaw", "removeItem", "getKeys", "createIfAbsent"] as const;
  const wrapped = calls.map((name) => [name, wrap(name, driver[name] as (...args: unknown[]) => unknown)]);
  return { ...driver, ...Object.fromEntries(wrapped) };
}

describe.each(stores)("over %s, a store that", (name, newStore) => {
  // Of the image's chunks on the store in memory the first, the last and some between; on the disk fewer.
  const places = name === "memory" ? [1, 2, 5, 8, 12, chunks - 1, chunks] : [1, 8, chunks];

  test.each(["is full", "goes away", "hangs"] as const)("%s at any chunk", async (trouble) => {
    await Promise.all(
      places.map(async (k) => {
        const storage = await newStore();
        const { manager, events } = processOver(api, {
          storage: inTroubleFrom(storage, k, trouble),
          ...(trouble === "hangs" && { storeTimeoutMs: 500 }),
        });
        const stream = await manager.get(slug, version, raw);
        expect((await collect(stream)).sha256).toBe(sha256);
        expect(await stream.committed()).toBeUndefined();
        expect(events.of("store-fault").length).toBeGreaterThan(0);
        expect(String(events.of("store-fault")[0]!.cause)).toMatch(reasons[trouble]);
        expect(events.of("committed")).toEqual([]);
        expect(await keysOf(storage, /:images:/)).toEqual([]);
        if (trouble === "is full")
          await eventually(async () => expect(await keysOf(storage, /:(leases|chunks):/)).toEqual([]));

        // Well again: what is there is of use or ignored, the image is right and cached.
        const well = processOver(api, { storage, lease: shortLease });
        expect((await collect(await well.manager.get(slug, version, raw))).sha256).toBe(sha256);
        expect(await well.manager.inspect(slug, version, raw)).toMatchObject({ size: imageBytes });
      }),
    );
    // A reader that a busy machine lets fall behind goes on by a transfer of its own: three for two gets at worst.
    expect(api.counters.transfers).toBeLessThanOrEqual(3 * places.length);
    await eventually(() => expect(api.counters.openConnections).toBe(0));
  });

  test("goes away: two readers of different pace get every byte, the slow one by a transfer of its own", async () => {
    const { manager } = processOver(api, { storage: inTroubleFrom(await newStore(), 3, "goes away") });
    const [quick, slow] = await Promise.all([manager.get(slug, version), manager.get(slug, version)]);
    await readSome(slow, chunkBytes);
    expect((await collect(quick)).sha256).toBe(sha256);
    expect((await collect(slow)).bytes).toBe(imageBytes - chunkBytes);
    expect(api.counters.transfers).toBe(2);
    await eventually(() => expect(api.counters.openConnections).toBe(0));
  });

  test.each<[string, StoreFault]>([
    ["reading a manifest", { operation: "getItemRaw", key: /:images:/, does: "throw" }],
    ["reading chunks", { operation: "getItemRaw", key: /:chunks:/, does: "throw" }],
    ["reading anything", { operation: "getItemRaw", does: "throw" }],
    ["taking a lease", { operation: "createIfAbsent", does: "throw" }],
    ["keeping a lease", { operation: "setItemRaw", key: /:leases:/, does: "throw" }],
    ["deleting", { operation: "removeItem", does: "throw" }],
    ["keeping the journal", { operation: "setItemRaw", key: /:partials:/, at: 2, does: "throw" }],
    ["the commit", { operation: "setItemRaw", key: /:images:/, does: "throw" }],
    ["the commit, without a word", { operation: "setItemRaw", key: /:images:/, does: "nothing" }],
    [
      "one chunk, without a word",
      { operation: "setItemRaw", key: /:chunks:/, at: 5, times: 1, does: "flip" },
    ],
  ])("fails only at %s", async (_, fault) => {
    const plain = await newStore();
    const storage = faultyDriver(plain, fault);
    const { manager, events } = processOver(api, { storage, memoryBytes: 2 * chunkBytes, lease: shortLease });
    const goOn = stallNext(api);
    const [first, second] = await Promise.all([
      manager.get(slug, version, raw),
      manager.get(slug, version, raw),
    ]);
    // The lease is kept for as long as the transfer runs: it must not end before that has failed.
    if (String(fault.key).includes("leases"))
      await eventually(() => expect(events.of("store-fault")).not.toEqual([]));
    goOn();
    await readSome(second, chunkBytes);
    expect((await collect(first)).sha256).toBe(sha256);
    expect((await collect(second)).bytes).toBe(imageBytes - chunkBytes);
    const isUnseen = fault.operation === "getKeys"; // no get lists
    if (fault.does === "throw" && !isUnseen && !/chunks/.test(String(fault.key)))
      expect(events.of("store-fault")).not.toEqual([]);
    if (fault.operation !== "removeItem") await settled(api, plain);

    storage.faults.splice(0);
    expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
    expect(await keysOf(plain, /:images:/)).toHaveLength(1);
    expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
  });
});
