// Dying at operation N of a store, for every N, of a get of an image in parts: what is kept of parts has a name, and the next get leaves none of it.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { dyingDriver } from "../../support/dying-driver.ts";
import { cut, managerOver, noise, serving } from "../../support/own-parts.ts";
import { chunkBytes, type TestManagerOptions } from "../../support/test-manager.ts";
import { wireKeys } from "./kills.ts";

const bytes = noise(4 * chunkBytes + 1000);
const sha256 = createHash("sha256").update(bytes).digest("hex");
const list = cut(bytes, 3 * chunkBytes - 300);
const lease = { heartbeatMs: 20, ttlMs: 100, pollMs: 2 };
const folder = "balena-images:v1:";

async function get(storage: StoreDriver, options: TestManagerOptions = {}): Promise<string> {
  const { manager } = managerOver(list, serving(list.files).fetch, { storage, lease, ...options });
  try {
    return (await collect(await manager.get("slug", "1.0.0"))).sha256;
  } finally {
    await manager.close();
  }
}

/** Runs a get until its store's N-th operation. `false` if it came to its end before. */
async function dyingAt(storage: StoreDriver, operation: number): Promise<boolean> {
  const dying = dyingDriver(storage, operation);
  await get(dying.driver, { retry: { attempts: 1 } }).catch(() => undefined);
  return dying.operations() === operation - 1;
}

/** Keys of pieces that some segment of a journal names. */
async function named(storage: StoreDriver): Promise<Set<string>> {
  const keys = await storage.getKeys(`${folder}partials:`, {});
  const found = new Set<string>();
  for (const key of keys.filter((name) => /:\d+:\d+$/.test(name) && !name.includes(":wire:"))) {
    const value = new TextDecoder().decode((await storage.getItemRaw!(key, {})) as Uint8Array);
    const { wire } = JSON.parse(value) as { wire?: { pieces: { epoch: number; part: number; n: number }[] } };
    const image = key.split(":").slice(0, 4).join(":");
    for (const { epoch, part, n } of wire?.pieces ?? []) found.add(`${image}:${epoch}:wire:${part}:${n}`);
  }
  return found;
}

async function expectSound(storage: StoreDriver): Promise<void> {
  const names = await named(storage);
  expect((await wireKeys(storage)).filter((key) => !names.has(key))).toEqual([]);
}

/** One that died after its commit leaves to `prune` what it had no time to delete. */
async function expectRest(storage: StoreDriver): Promise<void> {
  const isCommitted = (await storage.getKeys(`${folder}images:`, {})).length > 0;
  expect(await get(storage)).toBe(sha256);
  if (!isCommitted) expect(await storage.getKeys(`${folder}partials:`, {})).toEqual([]);
}

test("each piece that is there has a name, and the next get leaves none", async () => {
  let deaths = 0;
  for (let operation = 1; ; operation++) {
    const storage = memoryAdapter();
    if (!(await dyingAt(storage, operation))) break;
    await expectSound(storage);
    await expectRest(storage);
    deaths += 1;
  }
  expect(deaths).toBeGreaterThan(30);
});

test("so it is for a process that goes on, and dies as well", async () => {
  const operations = await operationsOf(memoryAdapter());
  let deaths = 0;
  for (const first of [0.5, 0.85].map((share) => Math.floor(operations * share))) {
    for (let operation = 1; ; operation += 3) {
      const storage = memoryAdapter();
      await dyingAt(storage, first);
      if (!(await dyingAt(storage, operation))) break;
      await expectSound(storage);
      await expectRest(storage);
      deaths += 1;
    }
  }
  expect(deaths).toBeGreaterThan(12);
});

async function operationsOf(storage: StoreDriver): Promise<number> {
  const counting = dyingDriver(storage, Number.POSITIVE_INFINITY);
  await get(counting.driver);
  return counting.operations();
}
