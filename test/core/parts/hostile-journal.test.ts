// Journals whose words about pieces are hostile, under seals that fit: a get is right all the same, and touches no key of another image.
import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { decodeSealed, encodeSealed } from "../../../src/core/store/json.ts";
import { damagedJson } from "../../fuzz/mutations/json.ts";
import { createRandom } from "../../soak/random.ts";
import { collect } from "../../support/collect.ts";
import { dyingDriver } from "../../support/dying-driver.ts";
import { cut, managerOver, noise, serving } from "../../support/own-parts.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { standingStill, wireKeys } from "./kills.ts";

const bytes = noise(6 * chunkBytes + 1000);
const sha256 = createHash("sha256").update(bytes).digest("hex");
const list = cut(bytes, 5 * chunkBytes);
const lease = { heartbeatMs: 20, ttlMs: 100, pollMs: 2 };
const prefix = "balena-images:";
const strange = `${prefix}v1:partials:another~1.0.0~00:1:wire:0:0`;

let left: readonly (readonly [string, Uint8Array])[] = [];

beforeAll(async () => {
  const storage = memoryAdapter();
  const upstream = standingStill(4 * chunkBytes, undefined, serving(list.files).fetch);
  const { driver, kill } = dyingDriver(storage);
  const { manager } = managerOver(list, upstream.fetch, { lease, storage: driver });
  manager
    .get("slug", "1.0.0")
    .then(collect)
    .catch(() => undefined);
  await upstream.stopped;
  kill();
  await manager.close();
  const keys = await storage.getKeys(prefix, {});
  left = await Promise.all(
    keys.map(async (key) => [key, (await storage.getItemRaw!(key, {})) as Uint8Array]),
  );
  expect((await wireKeys(storage)).length).toBeGreaterThan(1);
});

/** A store with what was left, and with hostile words in all that a journal says of pieces. */
async function withHostileWords(seed: number): Promise<StoreDriver> {
  const random = createRandom(seed, "words");
  const storage = memoryAdapter();
  for (const [key, value] of left) await storage.setItemRaw!(key, value.slice(), {});
  await storage.setItemRaw!(strange, new Uint8Array(9), {});
  for (const [key, value] of left) {
    const relative = key.slice(prefix.length);
    const segment = (await decodeSealed(relative, value)) as { wire?: object } | undefined;
    if (!segment?.wire) continue;
    const { text } = damagedJson(random, segment.wire, (path) => !path.includes("provenParts"));
    const wire = JSON.parse(text) as object;
    const forged = await encodeSealed(relative, { ...segment, wire }).catch(() => undefined);
    if (forged) await storage.setItemRaw!(key, forged, {});
  }
  return storage;
}

test.each(Array.from({ length: 60 }, (_, seed) => seed))("hostile words, seed %i", async (seed) => {
  const storage = await withHostileWords(seed);
  const { manager, events } = managerOver(list, serving(list.files).fetch, { storage, lease });
  const stream = await manager.get("slug", "1.0.0");
  expect((await collect(stream)).sha256).toBe(sha256);
  expect(await stream.committed()).toBeDefined();
  expect(events.of("store-fault")).toEqual([]);
  expect(await storage.hasItem(strange, {})).toBe(true);
  expect((await manager.verify()).damaged).toEqual([]);
  await manager.close();
});
