// One value that the store can't give: it is told and passed over, wherever all that is stored is looked at.
import { beforeEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { arrayOf, collect } from "../../support/collect.ts";
import { type FaultyDriver, faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug } from "../../support/shared-api.ts";
import { keysOf } from "../../support/stored-values.ts";
import { createTestManager, type TestManager } from "../../support/test-manager.ts";

const imageBytes = 1024 * 1024;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const hourMs = 60 * 60 * 1000;
const [good, bad] = ["6.1.0", "6.0.10"];

describe.each<[string, RegExp]>([
  ["a manifest", /:images:.*~6\.0\.10~/],
  ["a last use", /:uses:.*~6\.0\.10~/],
  ["a lease", /:leases:/],
  ["a journal", /:partials:/],
])("%s that can't be read", (what, key) => {
  let store: FaultyDriver;
  let kit: TestManager;
  let plain: StoreDriver;

  beforeEach(async () => {
    plain = memoryAdapter();
    store = faultyDriver(plain);
    kit = createTestManager(api, { storage: store, maxBytes: 3.5 * imageBytes });
    for (const wanted of [good, bad]) await kit.manager.prefetch(slug, wanted);
    await collect(await kit.manager.get(slug, bad)); // notes the use
    const other = "x~1~0123456789abcdef0123456789abcdef";
    for (const one of [`leases:${other}:1`, `partials:${other}:1:0`])
      await plain.setItemRaw?.(`balena-images:v1:${one}`, new Uint8Array(3), {});
    await expect.poll(() => keysOf(plain, "uses")).toHaveLength(1);
    store.faults.push({ operation: "getItemRaw", key, does: "throw" });
    kit.events.clear();
  });

  test("is passed over by list, prune, verify and remove, with an event", async () => {
    const { manager, events } = kit;
    const unreadable = what === "a manifest" ? [expect.stringContaining("~6.0.10~")] : [];
    expect((await arrayOf(manager.list())).map(({ version }) => version)).toContain(good);
    expect(events.of("store-fault")).toMatchObject([{ operation: "read", cause: { code: "STORE" } }]);
    expect(await manager.verify()).toMatchObject({ damaged: [], unreadable, images: 2 - unreadable.length });
    expect(await manager.prune()).toMatchObject({ evicted: [], unreadable });
    expect(await manager.remove(slug, good)).toBe(true);
    expect(await manager.inspect(slug, good)).toBeUndefined();
  });

  test("does not end the caching if there is a `maxBytes`", async () => {
    const { manager } = kit;
    for (const wanted of ["2.88.4+rev1", "2.60.1+rev1.prod", "6.2.0-beta.1"])
      expect(await manager.prefetch(slug, wanted)).toMatchObject({ version: wanted });
    expect(await manager.inspect(slug, "6.2.0-beta.1")).toMatchObject({ size: imageBytes });
  });

  test("costs no chunk: none is swept while it is not known whose it is", async () => {
    const { manager, clock } = kit;
    for (let round = 0; round < 3; round++) {
      await manager.prune();
      clock.advance(hourMs);
    }
    store.faults.splice(0);
    expect(await manager.verify()).toMatchObject({ damaged: [], images: 2 });
  });
});

test("the best cached version is found though another one can't be read", async () => {
  const store = faultyDriver(memoryAdapter());
  const { manager } = createTestManager(api, { storage: store });
  for (const wanted of [good, bad]) await manager.prefetch(slug, wanted);
  store.faults.push({ operation: "getItemRaw", key: /:images:.*~6\.1\.0~/, does: "throw" });
  api.faults.metadata.lose = {};
  expect(await manager.get(slug, "^6.0.0")).toMatchObject({ version: bad, origin: "stale" });
  expect((await manager.get(slug, "^6.0.0", { cache: "only-if-cached" })).version).toBe(bad);
});

test("an image whose manifest can't be read can be removed, and fetched again", async () => {
  const store = faultyDriver(memoryAdapter());
  const { manager } = createTestManager(api, { storage: store });
  await manager.prefetch(slug, good);
  store.faults.push({ operation: "getItemRaw", key: /:images:/, does: "throw" });
  expect(await manager.remove(slug, good)).toBe(true);
  expect(await keysOf(store, "images")).toEqual([]);
});

test("a transfer that does not commit leaves the chunks that an image may need whose manifest can't be read", async () => {
  const store = faultyDriver(memoryAdapter());
  const { manager } = createTestManager(api, { storage: store });
  await manager.prefetch(slug, good);
  const [manifest] = await keysOf(store, "images");
  store.faults.push(
    { operation: "getItemRaw", key: new RegExp(`${manifest}$`), does: "throw" },
    { operation: "setItemRaw", key: /:images:/, does: "throw" },
  );
  // The same chunks are another image's, in another variant.
  await expect(manager.prefetch(slug, good, { fileType: ".img" })).rejects.toMatchObject({ code: "STORE" });
  await manager.close(); // its deleting is done
  store.faults.splice(0);
  const { manager: next } = createTestManager(api, { storage: store });
  expect(await next.verify()).toMatchObject({ damaged: [], images: 1 });
});
