// verify and healing: every kind of damage is found, none is delivered, and few bad chunks cost few bytes.
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const chunks = 40;
const imageBytes = chunks * chunkBytes;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const prefix = "balena-images:v1:";

/** A store with the image in it, and the keys of its chunks in order. */
async function stored(options: { fileType?: ".img" } = {}) {
  const storage = memoryAdapter();
  const kit = createTestManager(api, { storage });
  const { id } = await kit.manager.prefetch(slug, version, options);
  const manifest = JSON.parse(new TextDecoder().decode(await raw(storage, `${prefix}images:${id}`)));
  const keys = (manifest.chunks as string[]).map(
    (digest) => `${prefix}chunks:${digest.slice(0, 2)}:${digest}`,
  );
  api.counters.reset();
  return { ...kit, storage, id, keys };
}

const raw = async (storage: StoreDriver, key: string) => (await storage.getItemRaw?.(key, {})) as Uint8Array;

const damages: Record<string, (storage: StoreDriver, key: string) => Promise<void>> = {
  flipped: async (storage, key) => {
    const bytes = await raw(storage, key);
    bytes[100]! ^= 1;
    await storage.setItemRaw?.(key, bytes, {});
  },
  cut: async (storage, key) => storage.setItemRaw?.(key, (await raw(storage, key)).slice(0, 1000), {}),
  emptied: async (storage, key) => storage.setItemRaw?.(key, new Uint8Array(0), {}),
  deleted: async (storage, key) => storage.removeItem?.(key, {}),
};

describe("healing", () => {
  test.each(Object.keys(damages))(
    "a chunk that is %s is fetched again by one range and rewritten",
    async (kind) => {
      const { manager, storage, keys, events } = await stored();
      await damages[kind]!(storage, keys[7]!);
      const image = await manager.get(slug, version);
      expect((await collect(image)).sha256).toBe(await api.image(slug, version).sha256);
      expect(events.of("healed")).toMatchObject([{ chunks: 1 }]);
      expect(api.counters.bytesSent).toBe(chunkBytes);
      expect((await manager.verify()).damaged).toEqual([]);
    },
  );

  test("adjacent bad chunks are one ranged request", async () => {
    const { manager, storage, keys, events } = await stored();
    for (const key of keys.slice(10, 15)) await damages["deleted"]!(storage, key);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(
      await api.image(slug, version).sha256,
    );
    expect(events.of("healed")).toMatchObject([{ chunks: 5 }]);
    expect(api.counters.transfers).toBe(1);
    expect(api.counters.bytesSent).toBe(5 * chunkBytes);
  });

  test("many are one transfer, checked against the manifest", async () => {
    const { manager, storage, keys } = await stored();
    for (const [index, key] of keys.entries()) if (index % 2 === 1) await damages["flipped"]!(storage, key);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(
      await api.image(slug, version).sha256,
    );
    expect(api.counters.transfers).toBeLessThanOrEqual(4); // a few ranges first
    expect((await manager.verify()).damaged).toEqual([]);
  });

  test.each(["off", "ignored", "wrong", "lying", "unsatisfiable"] as const)(
    "ranges %s: the whole is fetched instead",
    async (ranges) => {
      const { manager, storage, keys } = await stored();
      await damages["cut"]!(storage, keys[7]!);
      api.faults.ranges = ranges;
      expect((await collect(await manager.get(slug, version))).sha256).toBe(
        await api.image(slug, version).sha256,
      );
      expect((await manager.verify()).damaged).toEqual([]);
    },
  );

  test("with no upstream, INTEGRITY names image and chunk", async () => {
    const { manager, storage, keys, id } = await stored();
    await damages["flipped"]!(storage, keys[7]!);
    const image = await manager.get(slug, version);
    api.faults.refuse = { status: 503 };
    expect(await rejection(collect(image))).toMatchObject({ code: "INTEGRITY", image: id, chunk: 7 });
    const cached = await manager.get(slug, version, { cache: "only-if-cached" });
    expect(await rejection(collect(cached))).toMatchObject({ code: "INTEGRITY", image: id, chunk: 7 });
  });

  test("bytes that changed under the same version: IMAGE_CHANGED, and a fresh download next time", async () => {
    const { manager, storage, keys } = await stored();
    await damages["deleted"]!(storage, keys[7]!);
    const image = await manager.get(slug, version);
    api.faults.change = { content: true, validators: true };
    expect(await rejection(collect(image))).toMatchObject({ code: "IMAGE_CHANGED" });
    const next = await manager.get(slug, version);
    expect(next.origin).toBe("network");
    expect((await collect(next)).sha256).toBe(await api.image(slug, version, {}, 1).sha256);
  });
});

describe("verify", () => {
  test("of a sound store finds nothing and says what it read", async () => {
    const { manager } = await stored();
    const progress: number[] = [];
    const report = await manager.verify({ onProgress: ({ percent = 0 }) => progress.push(percent) });
    expect(report).toEqual({
      images: 1,
      chunks,
      checkedBytes: imageBytes,
      readAgain: 0,
      damaged: [],
      unreadable: [],
      orphans: 0,
      reclaimableBytes: 0,
    });
    expect(progress.at(-1)).toBe(100);
    expect(api.counters.requests).toBe(0);
  });

  test("reports damage, and repairs it if asked", async () => {
    const { manager, storage, keys, id } = await stored();
    await damages["flipped"]!(storage, keys[3]!);
    await damages["deleted"]!(storage, keys[4]!);
    await damages["cut"]!(storage, keys[20]!);
    await storage.setItemRaw?.(`${prefix}images:raspberrypi4-64~1.0.0~00`, new Uint8Array([1, 2, 3]), {});
    await storage.setItemRaw?.(`${prefix}chunks:cd:${"cd".repeat(32)}`, new Uint8Array(77), {});
    const found = await manager.verify();
    expect(found).toMatchObject({
      orphans: 1,
      reclaimableBytes: 77,
      unreadable: ["raspberrypi4-64~1.0.0~00"],
    });
    expect(found.damaged).toEqual([{ id, deviceType: slug, version, chunks: [3, 4, 20], isRepaired: false }]);
    expect(api.counters.requests).toBe(0);
    const repaired = await manager.verify({ repair: true });
    expect(repaired.damaged).toMatchObject([{ chunks: [3, 4, 20], isRepaired: true }]);
    expect(api.counters.bytesSent).toBe(3 * chunkBytes);
    expect(await manager.verify()).toMatchObject({ damaged: [], unreadable: [] });
  });

  test("a repair that the store does not take is none", async () => {
    const { storage, keys } = await stored();
    await damages["deleted"]!(storage, keys[3]!);
    const full = faultyDriver(storage, { operation: "setItemRaw", key: /:chunks:/, does: "throw" });
    const { manager } = createTestManager(api, { storage: full });
    expect((await manager.verify({ repair: true })).damaged).toMatchObject([
      { chunks: [3], isRepaired: false },
    ]);
  });

  test("many bad chunks are one transfer if the upstream has no ranges", async () => {
    const { manager, storage, keys } = await stored();
    for (const index of [1, 5, 9, 20, 33]) await damages["flipped"]!(storage, keys[index]!);
    api.faults.ranges = "off";
    const { damaged } = await manager.verify({ repair: true });
    expect(damaged).toMatchObject([{ chunks: [1, 5, 9, 20, 33], isRepaired: true }]);
    expect((await manager.verify()).damaged).toEqual([]);
    expect(api.counters.downloads).toBeLessThanOrEqual(2); // the range that was not answered as one, and the whole
  });

  test("what can't be repaired is said so", async () => {
    const { manager, storage, keys } = await stored();
    await damages["deleted"]!(storage, keys[3]!);
    api.faults.refuse = { status: 404 };
    const { damaged } = await manager.verify({ repair: true });
    expect(damaged).toMatchObject([{ chunks: [3], isRepaired: false }]);
  });

  test("an aborted one rejects with the reason", async () => {
    const { manager } = await stored();
    const abort = new AbortController();
    const verifying = manager.verify({
      signal: abort.signal,
      onProgress: () => abort.abort(new Error("enough")),
    });
    expect(await rejection(verifying)).toMatchObject({ message: "enough" });
  });
});
