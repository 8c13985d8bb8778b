/** Tokens and Wi-Fi keys: in no key, value, event or error; and images that carry credentials neither stored nor shared. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { type GetOptions, isImageManagerError } from "../../src/core/index.ts";
import { collect, rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 1024 * 1024 });
// Ahead of time: an upstream that has to make an image first is late for the shortest limits below.
for (const revision of [0, 1]) await api.image(slug, version, {}, revision).prepare();
const wifiKey = "correct horse/battery&staple";
const secrets = [wifiKey, encodeURIComponent(wifiKey), encodeURI(wifiKey), btoa(wifiKey), api.token];
const wifi = { network: "wifi", wifiSsid: "home", wifiKey } as const;
const configured: [string, GetOptions][] = [
  ["appId", { appId: 5 }],
  ["wifiKey", wifi],
  ["both", { appId: 5, ...wifi, developmentMode: true }],
];

function expectNoSecret(value: unknown) {
  const text = inspect(value, { depth: 10, showHidden: true, maxStringLength: null, maxArrayLength: null });
  for (const secret of secrets) expect(text.includes(secret), text.slice(0, 2000)).toBe(false);
}

async function contentsOf(storage: ReturnType<typeof memoryAdapter>) {
  const keys = await storage.getKeys("", {});
  const values = await Promise.all(keys.map((key) => storage.getItem?.(key, {})));
  return { keys, values };
}

describe.each(configured)("an image configured with %s", (_, options) => {
  const { cache: _cache, range: _range, ...variant } = options;
  const query = variant as Record<string, string | number | boolean>;

  test("is delivered, and nothing of it stored", async () => {
    const storage = memoryAdapter();
    const { manager, events } = createTestManager(api, {
      storage,
      token: api.token,
      freshness: { maxAgeMs: 1e6 },
    });
    for (let round = 1; round <= 2; round++) {
      const stream = await manager.get(slug, version, options);
      expect(stream.origin).toBe("network");
      expect((await collect(stream)).sha256).toBe(await api.image(slug, version, query).sha256);
      expect(await stream.committed()).toBeUndefined();
      expect(api.counters.transfers).toBe(round);
    }
    const contents = await contentsOf(storage);
    expect(contents.keys.filter((key) => !/:(catalog|accounts):/.test(key))).toEqual([]);
    expectNoSecret(contents);
    expectNoSecret(events.all);
    expect(await manager.inspect(slug, version, options)).toBeUndefined();
    expect(await manager.isFresh(slug, version, options)).toBe(false);
  });

  test("is not shared between gets", async () => {
    const { manager } = createTestManager(api);
    const streams = await Promise.all([
      manager.get(slug, version, options),
      manager.get(slug, version, options),
    ]);
    await Promise.all(streams.map(collect));
    expect(api.counters.transfers).toBe(2);
  });

  test("is not to be had from the cache", async () => {
    const { manager } = createTestManager(api);
    const cached = manager.get(slug, version, { ...options, cache: "only-if-cached" });
    await expect(cached).rejects.toMatchObject({ code: "NOT_CACHED" });
    await expect(manager.prefetch(slug, version, options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(api.counters.requests).toBe(0);
  });

  test("does not meet the image without", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    const plain = await manager.prefetch(slug, version, { developmentMode: options.developmentMode });
    const stream = await manager.get(slug, version, options);
    expect((await collect(stream)).sha256).not.toBe(await api.image(slug, version).sha256);
    expect(await manager.inspect(slug, version, { developmentMode: options.developmentMode })).toMatchObject({
      etag: plain.etag,
    });
  });
});

describe("no error and no event tells a secret", () => {
  test.each<[string, (faults: typeof api.faults) => void]>([
    [
      "connection lost for good",
      (faults) => Object.assign(faults, { lose: { atPercent: 50 }, ranges: "off" }),
    ],
    ["lost before the answer", (faults) => Object.assign(faults, { lose: { atPercent: 0 } })],
    ["cut short", (faults) => Object.assign(faults, { endShort: { how: "gzip-file", atPercent: 50 } })],
    [
      "changed on the way",
      (faults) =>
        Object.assign(faults, {
          lose: { atPercent: 60, times: 1 },
          change: { content: true, validators: true, skip: 1 },
        }),
    ],
    ["401", (faults) => Object.assign(faults, { refuse: { status: 401 } })],
    ["404", (faults) => Object.assign(faults, { refuse: { status: 404 } })],
    ["503", (faults) => Object.assign(faults, { refuse: { status: 503 } })],
    ["redirect loop", (faults) => Object.assign(faults, { redirect: { to: "loop" } })],
    ["no answer", (faults) => Object.assign(faults, { latencyMs: 400 })],
    ["version list refused", (faults) => Object.assign(faults.metadata, { refuse: { status: 500 } })],
    ["version list unauthorized", (faults) => Object.assign(faults.metadata, { refuse: { status: 401 } })],
    ["version list lost", (faults) => Object.assign(faults.metadata, { lose: {} })],
  ])("%s", async (_, spoil) => {
    const storage = memoryAdapter();
    const options = { storage, token: api.token, retry: { idleTimeoutMs: 100 } };
    const { manager, events } = createTestManager(api, options);
    spoil(api.faults);
    const failure = await rejection(manager.get(slug, version, { appId: 5, ...wifi }).then(collect));
    expect(isImageManagerError(failure)).toBe(true);
    expectNoSecret(failure);
    expectNoSecret(String((failure as Error).stack));
    expectNoSecret(JSON.stringify(failure));
    expectNoSecret(events.all);
    expectNoSecret(await contentsOf(storage));
  });

  test("nobody there", async () => {
    const { manager, events } = createTestManager({ url: "http://127.0.0.1:1" }, { token: api.token });
    expectNoSecret(await rejection(manager.get(slug, version, wifi)));
    expectNoSecret(events.all);
  });

  test.each<[string, object]>([
    ["a Wi-Fi key that is too long", { wifiKey: wifiKey.repeat(20) }],
    ["a Wi-Fi key in a list", { wifiKey: [wifiKey] }],
    ["a wrong neighbour", { wifiKey, network: "lan" }],
    ["a secret in the wrong place", { network: wifiKey }],
    ["a secret as cache mode", { cache: wifiKey }],
    ["a secret as scope", { scope: { wifiKey } }],
  ])("%s", async (_, options) => {
    const { manager } = createTestManager(api);
    const failure = await rejection(manager.get(slug, version, options as GetOptions));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    expectNoSecret(failure);
  });

  test("an image that is stored under a token names the account, not the token", async () => {
    const storage = memoryAdapter();
    const { manager, events } = createTestManager(api, { storage, token: api.token });
    const info = await manager.prefetch("acme-gateway");
    expect(info.variant.scope).toBe("user-42");
    expectNoSecret([info, events.all, await contentsOf(storage)]);
  });
});
