/** What makes two images the same one, and what keeps them apart. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { imageId, normalizeVariant } from "../../src/core/identity.ts";
import type { ImageVariant } from "../../src/core/index.ts";
import { collect } from "../support/collect.ts";
import { fileResponse, gzip, noise, scriptedUpstream } from "../support/scripted-upstream.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 512 * 1024 });

const variants: ImageVariant[] = [
  {},
  { developmentMode: true },
  { imageType: "raw" },
  { fileType: ".img" },
  { fileType: ".gz" },
  { fileType: ".zip" },
  { network: "wifi" },
  { wifiSsid: "home" },
  { wifiSsid: "office" },
  { appUpdatePollInterval: 5 },
  { appUpdatePollInterval: 50 },
  { ip: "10.0.0.5" },
  { netmask: "24" },
  { netmask: "255.255.240.0" },
  { scope: "ann" },
  { scope: "bob" },
  { developmentMode: true, imageType: "raw" },
];

describe("images are kept apart", () => {
  test("by every part of the variant, and by scope", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    const ids = new Set<string>();
    for (const variant of variants) {
      const info = await manager.prefetch("intel-nuc", "6.3.2", variant);
      expect(info.variant).toEqual(variant);
      ids.add(info.id);
    }
    expect(ids.size).toBe(variants.length);
    api.counters.reset();
    for (const variant of variants) {
      const { scope: _, fileType, ...query } = variant;
      const stream = await manager.get("intel-nuc", "6.3.2", { ...variant, cache: "only-if-cached" });
      const { sha256 } = await collect(stream);
      if (fileType === undefined || fileType === ".img")
        expect(sha256).toBe(await api.image("intel-nuc", "6.3.2", query).sha256);
    }
    expect(api.counters.requests).toBe(0);
  });

  test("by version, though their names differ in a sign only", async () => {
    const { manager } = createTestManager(api);
    const ids = await Promise.all(
      ["2.60.1+rev1.prod", "2.60.1+rev1.dev", "2.60.1+rev2.prod", "6.0.10", "6.0.10+rev1"].map(
        async (exact) => (await manager.prefetch(slug, exact)).id,
      ),
    );
    expect(new Set(ids).size).toBe(5);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9._~-]+$/);
  });

  test("by source: two APIs over one store", async () => {
    const storage = memoryAdapter();
    const contents = [noise(1000, 1), noise(1000, 2)];
    const managers = contents.map((content, index) => {
      const id = `https://api-${index}.example.com`;
      const upstream = scriptedUpstream({ respond: () => fileResponse(gzip(content)), source: { id } });
      return createTestManager(api, { ...upstream, storage, freshness: { maxAgeMs: 1e6 } }).manager;
    });
    for (const [index, manager] of managers.entries()) {
      expect((await manager.prefetch(slug)).source).toBe(`https://api-${index}.example.com`);
    }
    for (const [index, manager] of managers.entries()) {
      const stream = await manager.get(slug, "latest", { cache: "only-if-cached" });
      expect(await new Response(stream).bytes()).toEqual(contents[index]);
    }
  });

  test("by account: what came with a token is not served without", async () => {
    const storage = memoryAdapter();
    const signedIn = createTestManager(api, { storage, token: api.token }).manager;
    const info = await signedIn.prefetch("acme-gateway", "6.1.1");
    expect(info.variant).toEqual({ scope: "user-42" });
    const anonymous = createTestManager(api, { storage, freshness: { maxAgeMs: 1e6 } }).manager;
    const refused = { code: "DEVICE_TYPE_NOT_FOUND" };
    await expect(anonymous.get("acme-gateway", "6.1.1")).rejects.toMatchObject(refused);
    await expect(anonymous.versions("acme-gateway")).rejects.toMatchObject(refused);
    expect(await anonymous.inspect("acme-gateway", "6.1.1")).toBeUndefined();
    const offline = anonymous.get("acme-gateway", "*", { cache: "only-if-cached" });
    await expect(offline).rejects.toMatchObject({ code: "NOT_CACHED" });
  });
});

describe("images are the same", () => {
  test("whether defaults are said or not, and in whatever order", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    const { id } = await manager.prefetch("intel-nuc", "6.3.2", { imageType: "raw", wifiSsid: "x" });
    const variant: ImageVariant = {
      wifiSsid: "x",
      network: "ethernet",
      imageType: "raw",
      developmentMode: false,
      fileType: undefined,
    };
    api.counters.reset();
    expect((await manager.prefetch("intel-nuc", "6.3.2", variant)).id).toBe(id);
    expect(api.counters.transfers).toBe(0);
  });

  test("by slug and by alias, by range and by exact version", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 1e6 } });
    const ids = [
      await manager.prefetch(slug, version),
      await manager.prefetch("raspberry-pi4", version),
      await manager.prefetch("raspberry-pi4", "recommended"),
      await manager.prefetch(slug, `v${version}`),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(1);
    expect(api.counters.transfers).toBe(1);
  });
});

describe("imageId", () => {
  const identity = { source: "s", scope: null, deviceType: "intel-nuc", version: "6.4.0+rev1", variant: {} };

  test("is readable, and does not change from release to release of this library", async () => {
    expect(await imageId(identity)).toBe("intel-nuc~6.4.0_rev1~bd376bc3d2441eddea1db054efeb5441");
  });

  test("tells no scope from a scope, and parts from other parts", async () => {
    const others = [
      identity,
      { ...identity, scope: "null" },
      { ...identity, scope: "" },
      { ...identity, source: "", scope: "s" },
      { ...identity, version: "6.4.0_rev1" },
    ];
    expect(new Set(await Promise.all(others.map(imageId))).size).toBe(others.length);
  });

  test("has the same length of hash for long versions", async () => {
    const id = await imageId({ ...identity, version: "2023.10.1-RC.1+rev10.Prod" });
    expect(id).toMatch(/^intel-nuc~2023\.10\.1-rc\.1_rev10\.prod~[0-9a-f]{32}$/);
  });
});

test("normalizeVariant leaves out what equals the defaults, whatever else an object carries", () => {
  const noisy = { cache: "reload", range: { start: 1 }, developmentMode: false, network: "wifi", scope: "x" };
  expect(normalizeVariant(noisy as ImageVariant)).toEqual({ network: "wifi" });
});
