/** A response that waits to be read, while the store or anybody is asked, must not be taken for garbage: its body would just end. */
import { describe, expect, test } from "vitest";
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { nodeInflate } from "../../../src/adapters/node/inflate.ts";
import type { GetOptions, ImageManagerOptions, StoreDriver } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { collectGarbage, collectingDriver } from "../../support/collect-garbage.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf, damage } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { plainSource } from "../sharing/support.ts";

// Each collection takes a tenth of a second, and far more on a busy machine.

const imageBytes = 6 * chunkBytes;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const image = api.image(slug, version);
const sha256 = await image.sha256;
const raw = { fileType: ".img" } as const;

function managerOver(storage: StoreDriver, options: Partial<ImageManagerOptions> = {}) {
  // The source too lets garbage be collected: it is asked again for each attempt.
  const { request, ...source } = plainSource(api);
  const collecting = async (asked: Parameters<typeof request>[0]) => {
    await collectGarbage();
    return request(asked);
  };
  return createTestManager(api, {
    storage: collectingDriver(storage),
    source: { ...source, request: collecting },
    maxBytes: 4 * imageBytes, // room is made between headers and body
    ...options,
  });
}

describe("each first get makes one transfer, and delivers all of it", () => {
  test.each<[string, GetOptions, Partial<ImageManagerOptions>]>([
    [".img", raw, {}],
    [".gz", {}, {}],
    [".gz, with an inflater of Node's", {}, { inflate: nodeInflate }],
    ["past the cache", { ...raw, cache: "no-store" }, {}],
    ["with look-ups by fetch", raw, { source: balenaApiSource({ apiUrl: api.url }) }],
  ])("%s", async (_, options, managerOptions) => {
    api.faults.contentLength = "omitted"; // an early end would look like the end
    const { manager, events } = managerOver(memoryAdapter(), managerOptions);
    expect((await collect(await manager.get(slug, version, options))).sha256).toBe(sha256);
    expect(api.counters.transfers).toBe(1);
    expect(events.types()).not.toContain("resumed");
  });
});

test("a newer file that a revalidation finds is read on from its answer", async () => {
  const { manager, events } = managerOver(memoryAdapter());
  await manager.prefetch(slug, version, raw);
  api.counters.reset();
  api.faults.change = { content: true, validators: true };
  const { bytes } = await collect(await manager.get(slug, version, raw));
  expect(bytes).toBe(imageBytes);
  expect(api.counters.transfers).toBe(1);
  expect(events.types()).not.toContain("resumed");
});

test("the rest of a transfer that broke off is read on from its answer", async () => {
  const storage = memoryAdapter();
  api.faults.lose = { atPercent: 80 };
  const breaking = createTestManager(api, { storage, source: plainSource(api), retry: { attempts: 1 } });
  await rejection(breaking.manager.prefetch(slug, version, raw));
  api.faults.reset();
  api.counters.reset();
  const { manager, events } = managerOver(storage);
  expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
  expect(api.counters.requestLog[0]?.headers.range).toMatch(/^bytes=\d+-$/);
  expect(api.counters.transfers).toBe(1);
  expect(events.of("resumed")).toHaveLength(1);
});

test.each([
  ["a range", 1],
  ["a whole transfer", 5],
])("chunks that are healed by %s are read from one answer", async (_, damaged) => {
  const storage = memoryAdapter();
  const { manager, events } = managerOver(storage, { freshness: { maxAgeMs: 60_000 } });
  const { id } = await manager.prefetch(slug, version, raw);
  const keys = (await chunkKeysOf(storage, id)) as string[];
  for (const key of keys.slice(1, 1 + damaged)) await damage(storage, key, "missing");
  api.counters.reset();
  expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
  expect(api.counters.transfers).toBe(1);
  expect(events.types()).not.toContain("resumed");
});

test("a response that nobody has begun to read closes with its manager", async () => {
  api.faults.stall = { atByte: chunkBytes };
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
  // From the headers on, the transfer waits for its store.
  const isWaiting = () => api.counters.transfers > 0;
  const inner = memoryAdapter();
  const storage: StoreDriver = {
    ...inner,
    getKeys: async (base, options) => (isWaiting() ? isOver.then(() => []) : inner.getKeys(base, options)),
    getItemRaw: async (key, options) =>
      isWaiting() ? isOver.then(() => null) : inner.getItemRaw?.(key, options),
  };
  const { manager } = createTestManager(api, { source: plainSource(api), storage, maxBytes: 4 * imageBytes });
  const stream = await manager.get(slug, version, raw);
  await collectGarbage();
  expect(api.counters.openConnections).toBe(1);
  const closing = manager.close();
  await expect.poll(() => api.counters.openConnections).toBe(0);
  end();
  await closing;
  await expect(collect(stream)).rejects.toThrow("closed");
});
