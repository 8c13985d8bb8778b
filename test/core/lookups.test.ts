/** Every other look-up than `get`: prefetch, resolve, versions, inspect, isFresh, list. */
import { afterEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { DeviceTypeNotFoundError, type ImageManager, type OsVersion } from "../../src/core/index.ts";
import { arrayOf, collect } from "../support/collect.ts";
import { fileResponse, noise, scriptedUpstream, scriptedVersion } from "../support/scripted-upstream.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const listed = async (manager: ImageManager) => {
  const infos = await arrayOf(manager.list());
  return infos
    .map(({ deviceType, version, isComplete }) => `${deviceType} ${version}${isComplete ? "" : "?"}`)
    .sort();
};

test("look-ups of the same at once are one", async () => {
  const { manager } = createTestManager(api);
  await Promise.all(Array.from({ length: 50 }, () => manager.resolve(slug, "^6.0.0")));
  expect(api.counters.metadataRequests).toBe(2); // the device type, its versions
  await Promise.all([
    manager.resolve(slug, "latest"),
    manager.resolve(slug, "latest", { includeDrafts: true }),
  ]);
  expect(api.counters.metadataRequests).toBe(4);
});

describe("prefetch", () => {
  test("fills the cache and says what is in it", async () => {
    const { manager, events } = createTestManager(api);
    const info = await manager.prefetch(slug, "~6.0.0");
    expect(info).toMatchObject({ deviceType: slug, version: "6.0.10+rev1", size: 2 * 1024 * 1024 });
    expect(events.types()).toEqual(["miss", "committed"]);
    api.counters.reset();
    const stream = await manager.get(slug, "6.0.10+rev1", { cache: "only-if-cached" });
    expect((await collect(stream)).sha256).toBe(await api.image(slug, "6.0.10+rev1").sha256);
    expect(api.counters.requests).toBe(0);
  });

  test("of what is cached transfers nothing", async () => {
    const { manager } = createTestManager(api);
    const first = await manager.prefetch(slug, version);
    api.counters.reset();
    expect(await manager.prefetch(slug, version)).toMatchObject({ id: first.id, etag: first.etag });
    expect(api.counters).toMatchObject({ requests: 1, transfers: 0 });
  });

  test("reports progress that ends at the total", async () => {
    const { manager } = createTestManager(api);
    const reports: number[] = [];
    const onProgress = ({ transferredBytes }: { transferredBytes: number }) => reports.push(transferredBytes);
    const info = await manager.prefetch(slug, version, { onProgress });
    expect(reports.at(-1)).toBe(info.size);
    expect(reports).toEqual([...reports].sort((a, b) => a - b));
  });

  test("rejects if the store fails, though the download does not", async () => {
    const { manager } = createTestManager(api, { storage: memoryAdapter({ maxBytes: 1_000_000 }) });
    await expect(manager.prefetch(slug, version)).rejects.toMatchObject({ code: "STORE" });
    await expect(manager.inspect(slug, version)).resolves.toBeUndefined();
  });
});

describe("a remembered device type that leads to nothing", () => {
  const renamed = (none: () => Promise<OsVersion[]>) => {
    const upstream = { slug: "old-name" };
    const { source, fetch } = scriptedUpstream({
      respond: () => fileResponse(noise(1_000)),
      request: { gzip: false },
      source: {
        resolveDeviceType: async () => upstream.slug,
        versions: async (asked) => (asked === upstream.slug ? [scriptedVersion] : none()),
      },
    });
    return { upstream, ...createTestManager(api, { source, fetch }) };
  };

  test.each<[string, () => Promise<OsVersion[]>]>([
    ["no versions", async () => []],
    ["an error that there is none", () => Promise.reject(new DeviceTypeNotFoundError("old-name"))],
  ])("(%s) is asked for again", async (_, none) => {
    const { upstream, manager } = renamed(none);
    expect((await manager.prefetch("alias")).deviceType).toBe("old-name");
    upstream.slug = "new-name";
    expect(await manager.get("alias").then(({ deviceType }) => deviceType)).toBe("new-name");
    expect(await manager.resolve("alias", "1.0.0")).toBe("1.0.0");
  });
});

describe("resolve and versions", () => {
  test.each([
    ["latest", "6.2.0-beta.1"],
    ["recommended", "6.1.0"],
    ["default", "6.1.0"],
    ["^6.0.0", "6.1.0"],
    ["2.60.1", "2.60.1+rev2.prod"],
    ["2023.x", "2023.10.1"],
  ])("%s is %s", async (wanted, exact) => {
    const { manager } = createTestManager(api);
    expect(await manager.resolve(slug, wanted)).toBe(exact);
    expect(await manager.resolve("raspberry-pi4", wanted)).toBe(exact);
    expect(api.counters.downloads).toBe(0);
  });

  test("drafts count only when they are asked for", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 60_000 } });
    expect(await manager.resolve(slug)).toBe("6.2.0-beta.1");
    // What is remembered has no drafts, and must not answer for them.
    expect(await manager.resolve(slug, "latest", { includeDrafts: true })).toBe("6.3.0-1771234567890");
    expect(await manager.resolve(slug)).toBe("6.2.0-beta.1");
  });

  test("versions come newest first, with what is known of them", async () => {
    const { manager } = createTestManager(api);
    const versions = await manager.versions(slug);
    expect(versions.map((entry) => entry.version).slice(0, 3)).toEqual([
      "6.2.0-beta.1",
      "6.1.0",
      "6.0.10+rev1",
    ]);
    expect(versions.find((entry) => entry.version === "2023.1.0")).toMatchObject({
      line: "esr",
      phase: "sunset",
    });
    expect(versions.some(({ draft }) => draft)).toBe(false);
    expect((await manager.versions(slug, { includeDrafts: true })).some(({ draft }) => draft)).toBe(true);
  });

  test("what versions returns is the caller's own", async () => {
    const { manager } = createTestManager(api, { freshness: { maxAgeMs: 60_000 } });
    const before = await manager.versions(slug);
    before.splice(0);
    expect((await manager.versions(slug)).length).toBeGreaterThan(5);
  });

  test("private device types need the token", async () => {
    const anonymous = createTestManager(api).manager;
    await expect(anonymous.resolve("acme-gateway")).rejects.toMatchObject({ code: "DEVICE_TYPE_NOT_FOUND" });
    const { manager } = createTestManager(api, { token: api.token });
    expect(await manager.resolve("acme-gw")).toBe("6.1.1");
    expect((await collect(await manager.get("acme-gw"))).sha256).toBe(
      await api.image("acme-gateway", "6.1.1").sha256,
    );
  });

  test("an alias with capitals or signs is remembered apart from its like, and answers off-line", async () => {
    const { manager, storage } = createTestManager(api, { freshness: { maxAgeMs: 60_000 } });
    for (const alias of ["ZE250", "odroid-u3+"]) expect(await manager.resolve(alias)).toBe("6.4.0+rev1");
    await manager.prefetch("intel-nuc", "6.3.2");
    api.counters.reset();
    expect(await manager.inspect("ZE250", "6.3.2")).toMatchObject({ deviceType: "intel-nuc" });
    expect(await manager.inspect("ze250", "6.3.2")).toBeUndefined();
    expect(await manager.inspect("ZE251", "6.3.2")).toBeUndefined();
    expect(api.counters.requests).toBe(0);
    await expect(manager.resolve("ze250")).rejects.toMatchObject({ code: "DEVICE_TYPE_NOT_FOUND" });
    const keys = await (storage as ReturnType<typeof memoryAdapter>).getKeys("", {});
    for (const key of keys) expect(key).toMatch(/^[a-z0-9._~:-]+$/);
  });

  describe("a remembered version that was withdrawn since", () => {
    const withdrawn = { deviceType: "intel-nuc", version: "9.0.0" };
    const options = { freshness: { maxAgeMs: 60_000 } };
    const withdraw = () => api.releases.splice(api.releases.indexOf(withdrawn), 1);

    test("makes room for its replacement at once", async () => {
      const { manager } = createTestManager(api, options);
      api.releases.push(withdrawn);
      expect(await manager.resolve("intel-nuc", "*")).toBe("9.0.0");
      withdraw();
      api.counters.reset();
      expect((await manager.prefetch("intel-nuc", "*")).version).toBe("6.4.0+rev1");
      expect(api.counters.requestLog.filter(({ url }) => url.startsWith("/v7/application"))).toHaveLength(1);
      expect((await manager.get("intel-nuc", "*")).version).toBe("6.4.0+rev1");
    });

    test("is not found if it was asked for by name, and the nearest is named", async () => {
      const { manager } = createTestManager(api, options);
      api.releases.push(withdrawn);
      await manager.resolve("intel-nuc", "9.0.0");
      withdraw();
      await expect(manager.get("intel-nuc", "9.0.0")).rejects.toMatchObject({
        code: "VERSION_NOT_FOUND",
        nearest: "6.4.0+rev1",
      });
    });

    test("but still listed is asked for once more, and no more", async () => {
      const { manager } = createTestManager(api, options);
      await manager.resolve("intel-nuc", "*");
      api.faults.refuse = { status: 410, body: "Gone" };
      api.counters.reset();
      const failure = manager.get("intel-nuc", "*");
      await expect(failure).rejects.toMatchObject({ code: "VERSION_NOT_FOUND", message: /it says "Gone"/ });
      // The list and, before each request for the image, whether the release has parts.
      expect(api.counters.metadataRequests).toBeLessThanOrEqual(4);
    });
  });

  test("a new release is seen once maxAge has passed", async () => {
    const { manager, clock } = createTestManager(api, { freshness: { maxAgeMs: 60_000 } });
    expect(await manager.resolve("intel-nuc")).toBe("6.4.0+rev1");
    api.releases.push({ deviceType: "intel-nuc", version: "9.0.0" });
    expect(await manager.resolve("intel-nuc")).toBe("6.4.0+rev1");
    // Asked for by name, a version that is not remembered is looked for at once.
    expect(await manager.resolve("intel-nuc", "9.0.0")).toBe("9.0.0");
    clock.advance(60_001);
    expect(await manager.resolve("intel-nuc")).toBe("9.0.0");
  });
  afterEach(() => {
    const added = api.releases.findIndex(({ version }) => version === "9.0.0");
    if (added !== -1) api.releases.splice(added, 1);
  });
});

describe("inspect, isFresh and list", () => {
  test("inspect asks no upstream and knows variants apart", async () => {
    const { manager } = createTestManager(api);
    expect(await manager.inspect(slug, version)).toBeUndefined();
    const info = await manager.prefetch(slug, version, { developmentMode: true });
    api.counters.reset();
    expect(await manager.inspect(slug, version)).toBeUndefined();
    expect(await manager.inspect(slug, version, { developmentMode: true })).toEqual(info);
    expect(info.variant).toEqual({ developmentMode: true });
    expect(api.counters.requests).toBe(0);
  });

  test("isFresh is false without a copy, and asks nobody", async () => {
    const { manager } = createTestManager(api);
    expect(await manager.isFresh(slug, version)).toBe(false);
    expect(api.counters.requests).toBe(0);
  });

  test("isFresh asks the upstream once maxAge has passed, and remembers the answer", async () => {
    const { manager, clock } = createTestManager(api, { freshness: { maxAgeMs: 1000 } });
    await manager.prefetch(slug, version);
    api.counters.reset();
    expect(await manager.isFresh(slug, version)).toBe(true);
    expect(api.counters.requests).toBe(0);
    clock.advance(1000);
    expect(await manager.isFresh(slug, version)).toBe(true);
    expect(await manager.isFresh(slug, version)).toBe(true);
    expect(api.counters).toMatchObject({ requests: 1, transfers: 0 });
  });

  test("isFresh is false if the upstream has another image, and transfers none of it", async () => {
    const { manager } = createTestManager(api);
    const info = await manager.prefetch(slug, version);
    api.counters.reset();
    api.faults.change = { content: true, validators: true };
    api.faults.connectionBytesPerSecond = 100_000;
    expect(await manager.isFresh(slug, version)).toBe(false);
    await expect.poll(() => api.counters.openConnections).toBe(0);
    expect(api.counters.bytesSent).toBeLessThan((await api.image(slug, version).gzBytes()) / 2);
    expect(await manager.inspect(slug, version)).toEqual(info);
  });

  test("list names all images, and marks what is not whole", async () => {
    const { manager } = createTestManager(api);
    expect(await listed(manager)).toEqual([]);
    await manager.prefetch(slug, version);
    await manager.prefetch(slug, version, { developmentMode: true });
    await manager.prefetch("intel-nuc", "6.3.2");
    const left = await manager.get(slug, "6.0.10");
    for await (const _ of left) break;
    const whole = ["intel-nuc 6.3.2", `${slug} ${version}`, `${slug} ${version}`];
    await expect.poll(() => listed(manager)).toEqual([...whole, `${slug} 6.0.10?`].sort());
  });
});
