// The crash matrix: a process that dies at operation N, for every N, of everything that writes. What reopens is the old image,
// the new one or a miss; and what was left can be swept.
import { describe, expect, test } from "vitest";
import { balenaSdkSource } from "../../../src/adapters/balena-sdk/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageManager, type ImageManager, type StoreDriver } from "../../../src/core/index.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { Ledger } from "../../../src/core/store/ledger.ts";
import { repeatableImages } from "../../support/balena-api/index.ts";
import { collect } from "../../support/collect.ts";
import { dyingDriver } from "../../support/dying-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { load, snapshotOf } from "./damages.ts";

const api = await sharedApi({
  ...repeatableImages,
  imageBytes: 2 * chunkBytes,
  holeFree: true,
  downloads: "with-validators",
});
const hourMs = 60 * 60 * 1000;
const source = balenaSdkSource({ apiUrl: api.url, configure: "upstream" });
const lease = { heartbeatMs: 10, ttlMs: 50, pollMs: 5 };

function open(storage: StoreDriver, now = Date.now, maxBytes?: number): ImageManager {
  const limit = maxBytes === undefined ? {} : { maxBytes };
  return createImageManager({ source, storage, chunkBytes, lease, now, retry: { attempts: 1 }, ...limit });
}

const ignore = async (work: Promise<unknown>) => void (await work.catch(() => undefined));
const drain = async (manager: ImageManager, cache: "default" | "reload" = "default") =>
  void (await collect(await manager.get(slug, version, { cache })));

interface Scenario {
  /** What the store holds before. */
  prepare(storage: StoreDriver): Promise<void>;
  /** What is another upstream by then. */
  changeUpstream?(): void;
  /** The cap of the process that dies. */
  readonly maxBytes?: number;
  /** What the process is doing when it dies. */
  run(manager: ImageManager): Promise<unknown>;
}

const filled = async (storage: StoreDriver) => drain(open(storage));
const withOther = async (storage: StoreDriver) => {
  await filled(storage);
  await open(storage).prefetch(slug, version, { developmentMode: true });
};

const scenarios: Record<string, Scenario> = {
  "first get": { prepare: async () => undefined, run: (manager) => drain(manager) },
  refresh: {
    prepare: filled,
    changeUpstream() {
      api.faults.change = { content: true, validators: true };
    },
    run: (manager) => drain(manager),
  },
  "get that evicts": {
    async prepare(storage) {
      await filled(storage);
      await open(storage).prune(); // there is a ledger
      await open(storage).prefetch(slug, "6.0.10");
    },
    maxBytes: 2.5 * 4 * chunkBytes,
    run: (manager) => manager.prefetch(slug, "2.88.4+rev1"),
  },
  prune: { prepare: withOther, run: (manager) => manager.prune({ maxBytes: 0 }) },
  remove: { prepare: withOther, run: (manager) => manager.remove(slug, version) },
  clean: { prepare: withOther, run: (manager) => manager.cleanCache() },
};

/** Deaths that are tried side by side, each in a store of its own: a get that finds a dead owner's lease mostly waits. */
const atOnce = 8;

describe.each(Object.entries(scenarios))("dying in a %s", (name, scenario) => {
  const { prepare, changeUpstream, run, maxBytes } = scenario;

  test("leaves the old image, the new one or a miss", async () => {
    const old = await api.image(slug, version).sha256;
    const current = await api.image(slug, version, {}, name === "refresh" ? 1 : 0).sha256;
    const outcomes = { old: 0, new: 0, miss: 0 };
    const prepared = memoryAdapter();
    await prepare(prepared);
    const before = await snapshotOf(prepared);
    changeUpstream?.();

    const dieAt = async (deathAt: number): Promise<{ hasDied: boolean }> => {
      const store = memoryAdapter();
      await load(store, before);
      const dying = dyingDriver(store, deathAt);
      const manager = open(dying.driver, Date.now, maxBytes);
      await ignore(run(manager));
      await manager.close();
      await expectNoted(store);
      const cached = open(store).get(slug, version, { cache: "only-if-cached" });
      const sha256 = await cached.then(collect).then(
        (got) => got.sha256,
        () => undefined,
      );
      expect([old, current, undefined]).toContain(sha256);
      if (sha256 === undefined) outcomes.miss += 1;
      else outcomes[sha256 === current && name === "refresh" ? "new" : "old"] += 1;

      const again = await collect(await open(store).get(slug, version));
      expect(again.sha256).toBe(current);
      await expectSweepable(store);
      return { hasDied: dying.operations() === deathAt - 1 };
    };

    for (let first = 1, isAlive = false; !isAlive; first += atOnce) {
      const deaths = Array.from({ length: atOnce }, (_, index) => dieAt(first + index));
      isAlive = (await Promise.all(deaths)).some(({ hasDied }) => !hasDied);
    }
    console.log(`crash matrix: ${name}`, outcomes);
    expect(outcomes.old + outcomes.new + outcomes.miss).toBeGreaterThan(5);
  });
});

/** The ledger may name an image that is not there, but never the other way round: its chunks would go with those of another. */
async function expectNoted(storage: StoreDriver): Promise<void> {
  const { images, isComplete } = await new Ledger().read(createByteStore(storage, "balena-images"), () => {
    throw new Error("A record of the ledger can't be read");
  });
  const stored = (await storage.getKeys("balena-images:v1:images:", {})).map((key) => key.split(":").at(-1)!);
  if (isComplete) expect(stored.filter((id) => !images.has(id))).toEqual([]);
}

/** After two prunes, days later, nothing is there but what images name. */
async function expectSweepable(store: StoreDriver): Promise<void> {
  const start = Date.now();
  for (const days of [2, 3]) await open(store, () => start + days * 24 * hourMs).prune();
  const report = await open(store).verify();
  expect(report).toMatchObject({ damaged: [], unreadable: [], orphans: 0 });
  for (const folder of ["leases", "partials", "orphans"]) {
    expect(await store.getKeys(`balena-images:v1:${folder}`, {})).toEqual([]);
  }
}
