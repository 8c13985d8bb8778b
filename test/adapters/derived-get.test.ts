// Configured images got through a manager from a balena API: one download, whatever is configured.
import { describe, expect, test } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { bootFiles } from "../../src/adapters/boot-files/index.ts";
import type { GetOptions, ImageManager } from "../../src/core/index.ts";
import { bytesOf, rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";
import { read } from "./boot-files/disks.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024, assets: true });
const day = { freshness: { maxAgeMs: 86_400_000 } };

function managerOf(options: Parameters<typeof createTestManager>[1] = day) {
  const source = balenaApiSource({ apiUrl: api.url, token: api.token });
  return { source, ...createTestManager(api, { source, ...options }) };
}

const got = async (manager: ImageManager, options: GetOptions, type = slug, wanted = version) =>
  bytesOf(await manager.get(type, wanted, options));
const configOf = async (disk: Uint8Array) => JSON.parse(await read(disk, "/config.json"));
const pathsSince = () => api.counters.requestLog.map(({ url }) => url.split("?")[0]);

test("a development image after its plain one costs one small request, and no byte of image", async () => {
  const { manager } = managerOf();
  await manager.prefetch(slug, version);
  api.counters.reset();
  const config = await configOf(await got(manager, { developmentMode: true }));
  expect(config).toEqual({
    deviceType: slug,
    persistentLogging: true,
    localMode: false,
    developmentMode: true,
  });
  expect(api.counters).toMatchObject({ requests: 1, assetBytes: 0, bytesSent: 0 });
  await got(manager, { developmentMode: true, network: "wifi", wifiSsid: "a", wifiKey: "correct horse" });
  expect(api.counters.requests).toBe(1);
});

test("it comes in ranges, always the same, with an ETag of its own", async () => {
  const { manager } = managerOf();
  const whole = await manager.get(slug, version, { developmentMode: true });
  const bytes = await bytesOf(whole);
  const again = await manager.get(slug, version, {
    developmentMode: true,
    range: { start: 1_000_000, end: 1_500_000 },
  });
  expect(Buffer.compare(await bytesOf(again), bytes.subarray(1_000_000, 1_500_000))).toBe(0);
  const [plain, other] = [
    await manager.get(slug, version),
    await manager.get(slug, version, { developmentMode: true }),
  ];
  expect(again.etag).toMatch(/^"/);
  expect(other.etag).toBe(again.etag);
  expect(plain.etag).not.toBe(again.etag);
  await Promise.all([plain.cancel(), other.cancel()]);
});

describe("without the API", () => {
  test("a development image is made of the cached plain one", async () => {
    const { manager, clock } = managerOf({});
    await manager.prefetch(slug, version);
    clock.advance(60_000);
    api.faults.metadata.refuse = { status: 503 };
    const stream = await manager.get(slug, version, { developmentMode: true });
    expect(stream.origin).toBe("stale");
    expect(await configOf(await bytesOf(stream))).toMatchObject({ developmentMode: true });
  });

  test("only-if-cached sends no request", async () => {
    const { manager } = managerOf({});
    await manager.prefetch(slug, version);
    api.counters.reset();
    const disk = await got(manager, { developmentMode: true, cache: "only-if-cached" });
    expect(await configOf(disk)).toMatchObject({ developmentMode: true });
    expect(api.counters.requests).toBe(0);
  });
});

describe("an image of a fleet", () => {
  test("is a new one each time, so it has no ranges", async () => {
    const { manager } = managerOf();
    const [one, other] = [await got(manager, { appId: 12 }), await got(manager, { appId: 12 })];
    expect((await configOf(one)).apiKey).not.toBe((await configOf(other)).apiKey);
    const range = { start: 0, end: 10 };
    expect(await rejection(manager.get(slug, version, { appId: 12, range }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("of one config.json is the same each time, and comes in ranges", async () => {
    const { manager, source } = managerOf();
    const config = await source.config({ deviceType: slug, version, variant: { appId: 12 } });
    const edit = bootFiles({ "config.json": config });
    const whole = await got(manager, { edit });
    expect(await configOf(whole)).toMatchObject({ apiKey: config["apiKey"], persistentLogging: true });
    const half = await got(manager, { edit, range: { start: 1_000_000 } });
    expect(Buffer.compare(half, whole.subarray(1_000_000))).toBe(0);
  });

  test("takes files of the caller's in the same boot partition", async () => {
    const { manager } = managerOf();
    const edit = bootFiles({ "config.json": { hostname: "station-7" }, "keys/device.pem": "a key" });
    const disk = await got(manager, { appId: 12, edit });
    expect(await configOf(disk)).toMatchObject({
      applicationId: 12,
      hostname: "station-7",
      localMode: false,
    });
    expect(await read(disk, "/keys/device.pem")).toBe("a key");
  });

  test("is asked for again if the API is in trouble for a moment", async () => {
    const { manager } = managerOf();
    await manager.prefetch(slug, version);
    api.faults.metadata.refuse = { status: 503, times: 2 };
    expect(await configOf(await got(manager, { appId: 12 }))).toMatchObject({ applicationId: 12 });
  });
});

test.each<[string, GetOptions]>([
  ["a flasher image is configured in its own boot partition, from which it configures the device", {}],
  ["so is the raw one of the same device type", { imageType: "raw" }],
])("%s", async (_, options) => {
  const { manager } = managerOf();
  const disk = await got(manager, { ...options, developmentMode: true }, "intel-nuc", "6.3.2");
  expect(await configOf(disk)).toMatchObject({ deviceType: "intel-nuc", developmentMode: true });
  expect(pathsSince()).not.toContain("/download");
});

test.each<[string, GetOptions, string]>([
  ["an archive", {}, "intel-edison"],
  ["a packed file", { fileType: ".gz" }, slug],
])("%s is configured by balena's image maker", async (_, options, deviceType) => {
  api.deviceTypes.push({ slug: "intel-edison", name: "Intel Edison", archive: true });
  api.releases.push({ deviceType: "intel-edison", version });
  try {
    const { manager } = managerOf();
    await got(manager, { ...options, developmentMode: true }, deviceType);
    const download = api.counters.requestLog.find(({ url }) => url.startsWith("/download?"));
    expect(download?.url).toContain("developmentMode=true");
  } finally {
    api.deviceTypes.pop();
    api.releases.pop();
  }
});
