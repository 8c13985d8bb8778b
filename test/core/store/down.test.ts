// A store that does not answer: calls that need it say `STORE`, a get that can do without it does.
import { beforeEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageManager } from "../../../src/core/index.ts";
import { arrayOf, collect, rejection } from "../../support/collect.ts";
import { type FaultyDriver, type FaultyOperation, faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 1024 * 1024 });
let store: FaultyDriver;
let images: ImageManager;

beforeEach(async () => {
  store = faultyDriver(memoryAdapter());
  images = createTestManager(api, { storage: store }).manager;
  await images.prefetch(slug, version);
  api.counters.reset();
});

/** From now on no call to the store succeeds. */
function goDown(...operations: FaultyOperation[]): void {
  const all: FaultyOperation[] = ["getItemRaw", "setItemRaw", "removeItem", "getKeys", "createIfAbsent"];
  const down = operations.length > 0 ? operations : all;
  store.faults.push(...down.map((operation) => ({ operation, does: "throw" }) as const));
}

const needTheStore: Record<string, (manager: ImageManager) => Promise<unknown>> = {
  inspect: (manager) => manager.inspect(slug, version),
  "inspect by a range": (manager) => manager.inspect(slug, "^6.0.0"),
  remove: (manager) => manager.remove(slug, version),
  pin: (manager) => manager.pin(slug, version),
  unpin: (manager) => manager.unpin(slug, version),
  isFresh: (manager) => manager.isFresh(slug, version),
  list: (manager) => arrayOf(manager.list()),
  prune: (manager) => manager.prune(),
  verify: (manager) => manager.verify(),
  cleanCache: (manager) => manager.cleanCache(),
  "get only-if-cached": (manager) => manager.get(slug, version, { cache: "only-if-cached" }),
  "get only-if-cached of a range": (manager) => manager.get(slug, "^6.0.0", { cache: "only-if-cached" }),
  "prefetch only-if-cached": (manager) => manager.prefetch(slug, version, { cache: "only-if-cached" }),
};

describe("is STORE", () => {
  test.each(Object.entries(needTheStore))("%s", async (_, call) => {
    goDown();
    expect(await rejection(call(images))).toMatchObject({ code: "STORE" });
    expect(api.counters.requests).toBe(0);
  });

  test.each(Object.entries(needTheStore).filter(([name]) => name !== "cleanCache"))(
    "%s, though the store still lists its keys",
    async (_, call) => {
      goDown("getItemRaw");
      expect(await rejection(call(images))).toMatchObject({ code: "STORE" });
    },
  );

  test.each(["^6.0.0", version])("get force-cache of %s without an upstream", async (wanted) => {
    goDown();
    api.faults.metadata.lose = {};
    api.faults.lose = {};
    expect(await rejection(images.get(slug, wanted, { cache: "force-cache" }))).toMatchObject({
      code: "STORE",
    });
  });
});

describe("is no hindrance", () => {
  test.each(["default", "no-cache", "reload", "no-store", "force-cache"] as const)(
    "to a get with cache %s while the upstream is there",
    async (cache) => {
      goDown();
      const image = await images.get(slug, version, { cache });
      expect(image.origin).toBe("network");
      expect((await collect(image)).sha256).toBe(await api.image(slug, version).sha256);
      expect(await image.committed()).toBeUndefined();
    },
  );

  test("to a get by force-cache of what a store that works does not have: the upstream's failure is the answer", async () => {
    api.faults.metadata.lose = {};
    expect(await rejection(images.get(slug, "6.0.10", { cache: "force-cache" }))).toMatchObject({
      code: "UPSTREAM",
    });
  });
});
