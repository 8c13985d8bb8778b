/** Where a value is read, written and deleted while both stores answer. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageManager } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf, damage, keysOf, read } from "../../support/stored-values.ts";
import { createTestManager } from "../../support/test-manager.ts";
import { site } from "./site.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024, holeFree: true });
const sha256 = await api.image(slug, version).sha256;
const options = { freshness: { maxAgeMs: 60_000 } };

/** A far store that has the image. */
async function stockedFar() {
  const far = memoryAdapter();
  await createTestManager(api, { storage: far }).manager.prefetch(slug, version);
  return far;
}

async function versionsOf(manager: ImageManager): Promise<string[]> {
  const versions: string[] = [];
  for await (const image of manager.list()) versions.push(image.version);
  return versions.sort();
}

test("a first get fills both stores, and another site has it from far", async () => {
  const here = site(api);
  expect((await collect(await here.manager.get(slug, version))).sha256).toBe(sha256);
  expect(await keysOf(here.near, "chunks")).toEqual(await keysOf(here.far, "chunks"));
  const there = site(api, { far: here.far, manager: options });
  const stream = await there.manager.get(slug, version);
  expect(stream.origin).toBe("cache");
  expect((await collect(stream)).sha256).toBe(sha256);
  expect(api.counters.transfers).toBe(1);
});

test("a hit fills the near store on the way, and then reads no chunk from far", async () => {
  const { manager, near, line } = site(api, { far: await stockedFar(), manager: options });
  await collect(await manager.get(slug, version));
  await eventually(async () => expect(await keysOf(near, "chunks")).toHaveLength(8));
  line.calls.splice(0);
  expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  expect(line.calls.filter((call) => call.includes(":chunks:"))).toEqual([]);
});

describe("damage", () => {
  test("a damaged near chunk is replaced from far, without the upstream", async () => {
    const { manager, near, far, events } = site(api, { manager: options });
    const { id } = await manager.prefetch(slug, version);
    const [key] = (await chunkKeysOf(far, id)) as [string];
    await damage(near, key, "flip");
    api.counters.reset();
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(api.counters.requests).toBe(0);
    await eventually(async () => expect(await read(near, key)).toEqual(await read(far, key)));
    expect(events.of("healed")).toEqual([]);
  });

  test("a chunk that is damaged in both comes from the upstream, into both", async () => {
    const { manager, near, far, events } = site(api, { manager: options });
    const { id } = await manager.prefetch(slug, version);
    const [key] = (await chunkKeysOf(far, id)) as [string];
    const sound = await read(far, key);
    await damage(near, key, "flip");
    await damage(far, key, "short");
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(events.of("healed")).toHaveLength(1);
    await eventually(async () =>
      expect([await read(near, key), await read(far, key)]).toEqual([sound, sound]),
    );
  });

  test("verify tells what it replaced near from what is damaged in both", async () => {
    const { manager, near, far } = site(api, { manager: options });
    const { id } = await manager.prefetch(slug, version);
    const [first, second] = (await chunkKeysOf(far, id)) as [string, string];
    await damage(near, first, "flip");
    await damage(near, second, "flip");
    await damage(far, second, "flip");
    expect(await manager.verify()).toMatchObject({ damaged: [{ chunks: [1] }], readAgain: 1 });
    expect(await manager.verify({ repair: true })).toMatchObject({ damaged: [{ isRepaired: true }] });
    expect(await manager.verify()).toMatchObject({ damaged: [], readAgain: 0 });
  });
});

describe("the near store's cap", () => {
  test("chunks of earlier processes, and those that were not used for the longest time, go", async () => {
    const near = memoryAdapter();
    const { manager, far } = site(api, { near, manager: options });
    await manager.prefetch(slug, "6.0.10");
    const next = site(api, { near, far, nearMaxBytes: 3 * 2 ** 20, manager: options });
    const { id } = await next.manager.prefetch(slug, version);
    await eventually(async () => expect((await keysOf(near, "chunks")).length).toBeLessThanOrEqual(12));
    expect(await keysOf(near, "chunks")).toEqual(expect.arrayContaining(await chunkKeysOf(far, id)));
    expect(await keysOf(far, "chunks")).toHaveLength(16);
  });

  test("a chunk above it lies far alone", async () => {
    const { manager, near } = site(api, { nearMaxBytes: 1000 });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(await keysOf(near, "chunks")).toEqual([]);
  });
});

describe("deleting", () => {
  test.each(["remove", "cleanCache"] as const)("%s deletes from both", async (method) => {
    const { manager, near, far } = site(api);
    await manager.prefetch(slug, version);
    await (method === "remove" ? manager.remove(slug, version) : manager.cleanCache());
    expect(await keysOf(near, "chunks")).toEqual([]);
    expect(await keysOf(near, "images")).toEqual([]);
    expect(await keysOf(far, "images")).toEqual([]);
    if (method === "cleanCache")
      expect([await near.getKeys("", {}), await far.getKeys("", {})]).toEqual([[], []]);
  });

  test("a copy of what another site deleted goes with the next listing", async () => {
    const here = site(api, { manager: options });
    await here.manager.prefetch(slug, version);
    await createTestManager(api, { storage: here.far }).manager.remove(slug, version);
    expect(await versionsOf(here.manager)).toEqual([]);
    await eventually(async () => expect(await keysOf(here.near, "images")).toEqual([]));
  });
});

describe("farReadOnly", () => {
  test("what lies far is read, and nothing is written or deleted there", async () => {
    const far = await stockedFar();
    const before = (await far.getKeys("", {})).sort();
    const { manager, near, line } = site(api, { far, farReadOnly: true, manager: options });
    expect((await manager.get(slug, version)).origin).toBe("cache");
    expect((await collect(await manager.get(slug, "6.0.10"))).bytes).toBe(2 * 2 ** 20);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    await manager.pin(slug, "6.0.10");
    await manager.remove(slug, version);
    await manager.cleanCache();
    expect((await far.getKeys("", {})).sort()).toEqual(before);
    expect(line.calls.filter((call) => /^(set|remove|create)/.test(call))).toEqual([]);
    expect(await near.getKeys("", {})).toEqual([]);
  });

  test("list names what the site has", async () => {
    const { manager } = site(api, { far: await stockedFar(), farReadOnly: true, manager: options });
    expect(await versionsOf(manager)).toEqual([]);
    await collect(await manager.get(slug, version));
    await manager.prefetch(slug, "6.0.10");
    expect(await versionsOf(manager)).toEqual(["6.0.10", version]);
  });
});
