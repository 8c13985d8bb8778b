/** A store that hangs costs a get one short wait, and the gets after it none; when it is back, it is used again. */
import { describe, expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { monotonicMs } from "../../../src/core/clock.ts";
import { collect, rejection } from "../../support/collect.ts";
import {
  type FaultyDriver,
  type FaultyOperation,
  faultyDriver,
  type StoreCall,
  type StoreFault,
} from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager, type TestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 512 * 1024, holeFree: true });
const sha256 = await api.image(slug, version).sha256;
const storeTimeoutMs = 2_000;

function managerOver(storage: ReturnType<typeof faultyDriver>, options: object = {}) {
  const made = createTestManager(api, { storage, storeTimeoutMs, ...options });
  onTestFinished(() => made.manager.close());
  return made;
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; tookMs: number }> {
  const startedMs = monotonicMs();
  const result = await work();
  return { result, tookMs: monotonicMs() - startedMs };
}

const operations: FaultyOperation[] = ["getItemRaw", "setItemRaw", "removeItem", "getKeys", "createIfAbsent"];
const hang = (operation: FaultyOperation, key?: RegExp): StoreFault => ({
  operation,
  does: "hang",
  ...(key && { key }),
});
const kinds: [string, object][] = [
  ["an empty store", {}],
  ["an empty store with a cap", { maxBytes: 100e6 }],
  ["a store that has the image", {}],
];

interface Case {
  readonly storage: FaultyDriver;
  readonly manager: TestManager["manager"];
  /** A get, and how long it took. */
  readonly get: () => ReturnType<typeof timed<Awaited<ReturnType<typeof collect>>>>;
  /** How long one may take that waits once: what it takes of a sound store, and less than two waits. */
  readonly mostMs: number;
}

async function prepared(kind: string, options: object): Promise<Case> {
  const getFrom = (manager: Case["manager"]) => timed(async () => collect(await manager.get(slug, version)));
  const { tookMs } = await getFrom(createTestManager(api, options).manager);
  const storage = faultyDriver(memoryAdapter());
  if (kind.endsWith("the image")) await createTestManager(api, { storage }).manager.prefetch(slug, version);
  const { manager } = createTestManager(api, { storage, storeTimeoutMs, ...options });
  onTestFinished(() => manager.close());
  storage.calls.splice(0);
  return { storage, manager, get: () => getFrom(manager), mostMs: 2 * storeTimeoutMs + tookMs };
}

async function expectOneWait({ get, mostMs }: Case, what: string): Promise<void> {
  const { result, tookMs } = await get();
  expect(result.sha256, what).toBe(sha256);
  expect(tookMs, what).toBeLessThan(mostMs);
}

describe.each(kinds)("%s that hangs", (kind, options) => {
  test("costs one get one wait, and no later one any", async () => {
    const places = [operations, ...operations.map((name) => [name])];
    const cases = await Promise.all(places.map(() => prepared(kind, options)));
    const check = async (made: Case, hung: readonly FaultyOperation[]) => {
      made.storage.faults.push(...hung.map((operation) => hang(operation)));
      await expectOneWait(made, `${hung}`);
      // Whether the copy is still right is noted in the background: the next get waits for that, in place of this one.
      await expectOneWait(made, `${hung}, the note`);
      made.storage.calls.splice(0);
      for (let round = 0; round < 3; round++) expect((await made.get()).result.sha256).toBe(sha256);
      // What asks whether it is back, and what nobody waits for, does no harm.
      const isWaitedFor = ({ operation, key }: StoreCall) =>
        hung.includes(operation) &&
        !/:(probe$|uses:)/.test(key) &&
        !(operation === "removeItem" && key.includes(":leases:"));
      expect(made.storage.calls.filter(isWaitedFor)).toEqual([]);
    };
    await Promise.all(cases.map((made, index) => check(made, places[index]!)));
  });

  test("at some keys alone costs a get one wait at most", async () => {
    const faults = [
      hang("getItemRaw", /:catalog:/),
      hang("getItemRaw", /:images:/),
      hang("getItemRaw", /:leases:/),
      hang("getItemRaw", /:partials:/),
      hang("setItemRaw", /:catalog:/),
      hang("setItemRaw", /:chunks:/),
      hang("setItemRaw", /:partials:/),
      hang("setItemRaw", /:images:/),
      hang("setItemRaw", /:uses:/),
      hang("removeItem", /:leases:/),
      hang("removeItem", /:partials:/),
    ];
    const cases = await Promise.all(faults.map(() => prepared(kind, options)));
    const check = async (made: Case, fault: StoreFault) => {
      made.storage.faults.push(fault);
      for (let round = 0; round < 2; round++) await expectOneWait(made, `${fault.operation} ${fault.key}`);
    };
    await Promise.all(cases.map((made, index) => check(made, faults[index]!)));
  });
});

test("while it is left alone, nothing more is told than that it hung; it is back with an event, and filled", async () => {
  const storage = faultyDriver(memoryAdapter(), hang("getItemRaw"));
  const { manager, events } = managerOver(storage, { storeTimeoutMs: 100 });
  for (let round = 0; round < 3; round++)
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  expect(events.of("store-fault").length).toBeLessThanOrEqual(2);
  expect(events.of("store-back")).toEqual([]);
  storage.faults.splice(0);
  await expect
    .poll(async () => {
      await collect(await manager.get(slug, version));
      return events.types();
    })
    .toContain("committed");
  expect(events.of("store-back")).toEqual([
    { type: "store-back", operation: "read", durationMs: expect.any(Number) },
  ]);
  expect(await manager.inspect(slug, version)).toMatchObject({ version });
});

test("it is asked whether it is back by one call at a time, more and more seldom, and by nobody's get", async () => {
  const storage = faultyDriver(memoryAdapter(), hang("getItemRaw"));
  const { manager } = managerOver(storage, { storeTimeoutMs: 40 });
  await collect(await manager.get(slug, version));
  storage.calls.splice(0);
  const startedMs = monotonicMs();
  while (monotonicMs() - startedMs < 1_500) await collect(await manager.get(slug, version));
  // After 40, 80, 160, 320, 640 ms, each with 40 ms for the answer.
  expect(storage.calls.length).toBeGreaterThan(0);
  expect(storage.calls.length).toBeLessThanOrEqual(6);
  expect(new Set(storage.calls.map(({ key }) => key))).toEqual(new Set(["balena-images:v1:probe"]));
});

test("who needs the store asks it all the same, and is told", async () => {
  const storage = faultyDriver(memoryAdapter());
  await createTestManager(api, { storage }).manager.prefetch(slug, version);
  storage.faults.push(hang("getItemRaw", /:(catalog|images):/));
  const { manager } = managerOver(storage, { storeTimeoutMs: 100 });
  await collect(await manager.get(slug, version));
  const cached = () => manager.get(slug, version, { cache: "only-if-cached" });
  expect(await rejection(cached())).toMatchObject({ code: "STORE" });
  storage.faults.splice(0);
  expect((await collect(await cached())).sha256).toBe(sha256);
});

test("a copy is served as soon as the store answers, while the upstream is away", async () => {
  const storage = faultyDriver(memoryAdapter());
  await createTestManager(api, { storage }).manager.prefetch(slug, version);
  storage.faults.push(hang("getItemRaw"));
  const { manager } = managerOver(storage, { storeTimeoutMs: 100, retry: { attempts: 1 } });
  await collect(await manager.get(slug, version));
  api.faults.refuse = { status: 503 };
  Object.assign(api.faults.metadata, { refuse: { status: 503 } });
  await expect(manager.get(slug, version)).rejects.toMatchObject({ code: "UPSTREAM" });
  storage.faults.splice(0);
  expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
});
