// One transfer for all readers of a process, each as if it were alone.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ImageStream } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { keysOf, lastRangeStart, MiB, paced, processOver, readSome, settled, stores } from "./support.ts";

const imageBytes = 4 * MiB;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const sha256 = await api.image(slug, version).sha256;
const raw = { fileType: ".img" } as const;

async function digestOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

describe.each(stores)("over %s", (_, newStore) => {
  test("50 gets are one transfer and 50 whole images, each at its own pace and with its own signal", async () => {
    const { manager, events } = processOver(api, { storage: await newStore() });
    const goOn = stallNext(api);
    const gets = Array.from({ length: 50 }, () => {
      const { signal } = new AbortController();
      return manager.get(slug, version, { signal });
    });
    const digests = gets.map(async (get, index) => digestOf(paced(await get, (index % 10) * 4)));
    await Promise.all(gets);
    goOn();
    expect(new Set(await Promise.all(digests))).toEqual(new Set([sha256]));
    expect(api.counters).toMatchObject({ transfers: 1, downloads: 1, openConnections: 0 });
    expect(events.of("committed")).toHaveLength(1);
  });

  test("one that stops, stalls, aborts, scribbles or comes late harms no other", async () => {
    const { manager } = processOver(api, { storage: await newStore(), memoryBytes: 4 * chunkBytes });
    const goOn = stallNext(api, 60);
    const abort = new AbortController();
    const start = (options: object = {}) => manager.get(slug, version, { ...raw, ...options });
    const [good, stops, stalls, aborts, scribbles] = (await Promise.all([
      start(),
      start(),
      start(),
      start({ signal: abort.signal }),
      start(),
    ])) as [ImageStream, ImageStream, ImageStream, ImageStream, ImageStream];
    const collected = collect(good);
    const scribbling = (async () => {
      for await (const piece of scribbles) piece.fill(0xff);
    })();
    await readSome(stops, chunkBytes);
    await stops.cancel();
    await readSome(stalls, chunkBytes);
    await readSome(aborts, 2 * chunkBytes);
    const reason = new Error("enough");
    const aborted = rejection(collect(aborts));
    abort.abort(reason);
    expect(await aborted).toBe(reason);
    await eventually(() => expect(api.counters.bytesSent).toBeGreaterThan(imageBytes / 2));
    expect(api.counters.openConnections).toBe(1);
    const late = await start();
    expect(late.origin).toBe("network");
    goOn();

    expect((await collect(late)).sha256).toBe(sha256);
    expect((await collected).sha256).toBe(sha256);
    await scribbling;
    // The stalled one goes on where it stood; what it missed comes out of the store.
    expect((await collect(stalls)).bytes).toBe(imageBytes - chunkBytes);
    expect(api.counters.transfers).toBe(1);
    expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
  });

  test("scribbling on a cached image, holes included, reaches nobody", async () => {
    const { manager } = processOver(api, { storage: await newStore(), freshness: { maxAgeMs: 60_000 } });
    await manager.prefetch(slug, version);
    for await (const piece of await manager.get(slug, version)) piece.fill(0xff);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  });

  test("the last to leave closes the connection at once; the next get goes on from the partial", async () => {
    const storage = await newStore();
    const { manager, events } = processOver(api, { storage });
    stallNext(api);
    const abort = new AbortController();
    const first = await manager.get(slug, version, raw);
    const last = await manager.get(slug, version, { ...raw, signal: abort.signal });
    await readSome(first, imageBytes / 2);
    await first.cancel();
    await readSome(last, imageBytes / 2);
    expect(api.counters.openConnections).toBe(1);

    abort.abort();
    await eventually(() => expect(api.counters.openConnections).toBe(0));
    expect(api.counters.bytesSent).toBeLessThan(imageBytes); // it did not end by coming to its end
    await settled(api, storage);
    expect(await keysOf(storage, /:partials:/)).not.toEqual([]);
    expect(await keysOf(storage, /:images:/)).toEqual([]);

    const next = await manager.get(slug, version, raw);
    expect((await collect(next)).sha256).toBe(sha256);
    expect(lastRangeStart(api)).toBeGreaterThanOrEqual(imageBytes / 2 - 2 * chunkBytes);
    expect(events.of("resumed")).toMatchObject([{ fromByte: lastRangeStart(api) }]);
    expect(await next.committed()).toMatchObject({ size: imageBytes });
    expect(await keysOf(storage, /:(partials|leases):/)).toEqual([]);
    expect(api.counters.transfers).toBe(2);
  });

  test("a get that comes while the last one leaves is right", async () => {
    const storage = await newStore();
    const { manager } = processOver(api, { storage });
    for (let round = 1; round <= 3; round++) {
      const goOn = stallNext(api, 60);
      const leaving = await manager.get(slug, version, raw);
      await readSome(leaving, round * chunkBytes);
      const [next] = await Promise.all([manager.get(slug, version, raw), leaving.cancel()]);
      goOn();
      if (round < 3) await next.cancel();
      else expect((await collect(next)).sha256).toBe(sha256);
    }
    await settled(api, storage);
  });
});
