// What events carry: how long it took, how many bytes came, and why.
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { collect, rejection } from "../support/collect.ts";
import { eventually } from "../support/eventually.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { stallNext } from "../support/stall.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 16 * chunkBytes, downloads: "with-validators" });
const gzBytes = await api.image(slug, version).gzBytes();

describe("a transfer", () => {
  test("that is committed: the bytes on the wire, and the time by the manager's clock", async () => {
    const { manager, events, clock } = createTestManager(api);
    const image = await manager.get(slug, version);
    clock.advance(5_000);
    await collect(image);
    expect(events.of("committed")).toMatchObject([
      { image: (await image.committed())!.id, size: 16 * chunkBytes, durationMs: 5_000, wireBytes: gzBytes },
    ]);
  });

  test("in parts: what came of the parts, not the lists", async () => {
    const inParts = await sharedApiInParts;
    const { manager, events } = createTestManager(inParts);
    await manager.prefetch(slug, version);
    const [{ wireBytes } = { wireBytes: 0 }] = events.of("committed");
    expect(wireBytes).toBe((await inParts.image(slug, version).gzBytes()) - 20);
  });

  test("that broke: bytes that came twice count twice", async () => {
    const { manager, events } = createTestManager(api);
    Object.assign(api.faults, { lose: { atPercent: 60, times: 1 }, etag: "none" });
    await manager.prefetch(slug, version);
    const [{ wireBytes } = { wireBytes: 0 }] = events.of("committed");
    expect(wireBytes).toBeGreaterThan(gzBytes);
    expect(wireBytes).toBeLessThanOrEqual(api.counters.bytesSent);
  });

  test("that failed: why", async () => {
    const { manager, events } = createTestManager(api, { retry: { attempts: 1 } });
    Object.assign(api.faults, { lose: { atPercent: 60 } });
    const failure = (await rejection(manager.prefetch(slug, version))) as Error;
    const [failed, ...more] = events.of("failed");
    expect(more).toEqual([]);
    expect(failed!.durationMs).toBe(0);
    expect(failed!.cause).toBe(failure);
    expect(failed!.wireBytes).toBeGreaterThan(0);
    expect(events.of("abandoned")).toEqual([]);
  });

  test("that never began: why, and no byte", async () => {
    const { manager, events } = createTestManager(api, { retry: { attempts: 1 } });
    await manager.versions(slug);
    api.faults.refuse = { status: 500 };
    await rejection(manager.prefetch(slug, version));
    expect(events.of("failed")).toMatchObject([{ wireBytes: 0, cause: { code: "UPSTREAM", status: 500 } }]);
  });

  test("that nobody wants any more is abandoned, and did not fail", async () => {
    const { manager, events } = createTestManager(api);
    stallNext(api); // until its client leaves
    const reader = (await manager.get(slug, version)).getReader();
    await reader.read();
    await reader.cancel();
    await eventually(() => expect(events.of("abandoned")).toHaveLength(1));
    expect(events.of("abandoned")[0]!.wireBytes).toBeGreaterThan(0);
    expect(events.of("failed")).toEqual([]);
  });
});

const sharedApiInParts = sharedApi({ imageBytes: 16 * chunkBytes, assets: true });

describe("a copy", () => {
  test("that the upstream confirmed: how long that took", async () => {
    const { manager, events } = createTestManager(api);
    await manager.prefetch(slug, version);
    await manager.prefetch(slug, version);
    expect(events.of("revalidated")).toMatchObject([{ durationMs: 0 }]);
  });

  test("that stands in for the upstream: why", async () => {
    const { manager, events } = createTestManager(api, { retry: { attempts: 1 } });
    await manager.prefetch(slug, version);
    api.faults.refuse = { status: 503 };
    await manager.prefetch(slug, version);
    expect(events.of("stale-served")).toMatchObject([{ cause: { code: "UPSTREAM", status: 503 } }]);
    expect(events.of("failed")).toEqual([]);
  });

  test("that went: who wanted it", async () => {
    const { manager, events } = createTestManager(api, { freshness: { maxAgeMs: 1e9 } });
    const other = "6.0.10";
    await manager.prefetch(slug, version);
    await manager.remove(slug, version);
    await manager.prefetch(slug, version);
    await manager.prune({ maxBytes: 0 });
    const { manager: bounded, events: boundedEvents } = createTestManager(api, {
      ...{ storage: memoryAdapter(), maxBytes: 20 * chunkBytes },
    });
    await bounded.prefetch(slug, version);
    await bounded.prefetch(slug, other);
    expect(events.of("evicted").map(({ reason }) => reason)).toEqual(["remove", "prune"]);
    expect(boundedEvents.of("evicted").map(({ reason }) => reason)).toEqual(["maxBytes"]);
  });

  test("that was healed: how long that took", async () => {
    const storage = memoryAdapter();
    const { manager, events } = createTestManager(api, { storage, freshness: { maxAgeMs: 1e9 } });
    await manager.prefetch(slug, version);
    const [key] = await storage.getKeys("balena-images:v1:chunks:", {});
    await storage.removeItem?.(key!, {});
    await collect(await manager.get(slug, version));
    expect(events.of("healed")).toMatchObject([{ chunks: 1, durationMs: 0 }]);
  });
});

describe("an image that is delivered and not stored: why, and what it cost", () => {
  test.each<[string, object, object, RegExp]>([
    ["it must not be", {}, { cache: "no-store" }, /must not be stored/],
    ["it does not fit", { maxBytes: 4 * chunkBytes }, {}, /does not fit into "maxBytes"/],
  ])("%s", async (_, options, get, message) => {
    const { manager, events } = createTestManager(api, options);
    await collect(await manager.get(slug, version, get));
    await eventually(() => expect(events.of("not-stored")).toHaveLength(1));
    const [{ cause, ...facts } = { cause: undefined }] = events.of("not-stored");
    expect(facts).toMatchObject({ size: 16 * chunkBytes, wireBytes: gzBytes });
    expect((cause as Error).message).toMatch(message);
    expect(events.of("committed")).toEqual([]);
  });
});
