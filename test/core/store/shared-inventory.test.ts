// All who want to know what is stored at the same time share one look, and nobody gets an older one than he asked for.
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { Inventory } from "../../../src/core/store/inventory.ts";
import { shareInventory } from "../../../src/core/store/shared-inventory.ts";
import { arrayOf } from "../../support/collect.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug } from "../../support/shared-api.ts";
import { createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 1024 * 1024 });

test("those who come while a look goes on share the next, which begins after they asked", async () => {
  const looks: PromiseWithResolvers<Inventory>[] = [];
  const inventory = shareInventory(() => {
    const look = Promise.withResolvers<Inventory>();
    looks.push(look);
    return look.promise;
  });
  const first = inventory();
  await expect.poll(() => looks.length).toBe(1);
  const late = [inventory(), inventory(), inventory()];
  expect(looks.length).toBe(1);
  looks[0]!.reject(new Error("the store is down"));
  await expect(first).rejects.toThrow("down");
  await expect.poll(() => looks.length).toBe(2);
  const found = {} as Inventory;
  looks[1]!.resolve(found);
  expect(await Promise.all(late)).toEqual([found, found, found]);
  expect(looks.length).toBe(2);
});

test("thirty lists at once read each manifest once or twice", async () => {
  const store = faultyDriver(memoryAdapter());
  const { manager } = createTestManager(api, { storage: store });
  for (const wanted of ["6.1.0", "6.0.10"]) await manager.prefetch(slug, wanted);
  store.calls.splice(0);
  const lists = await Promise.all(Array.from({ length: 30 }, () => arrayOf(manager.list())));
  expect(lists.map((images) => images.length)).toEqual(lists.map(() => 2));
  const reads = store.calls.filter(
    ({ operation, key }) => operation === "getItemRaw" && /:images:/.test(key),
  );
  expect(reads.length).toBeLessThanOrEqual(2 * 2);
});
