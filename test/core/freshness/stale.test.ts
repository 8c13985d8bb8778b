/** The upstream can't be reached, or says no: when the cache stands in for it, and when it must not. */
import { describe, expect, test } from "vitest";
import { balenaSdkSource } from "../../../src/adapters/balena-sdk/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { collect } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const image = api.image(slug, version);
const hour = 3_600_000;

async function filled(options: TestManagerOptions = {}, versions = [version]) {
  const made = createTestManager(api, options);
  for (const wanted of versions) await made.manager.prefetch(slug, wanted);
  made.events.clear();
  api.counters.reset();
  return made;
}

const lose = () => {
  Object.assign(api.faults, { refuse: { status: 503 } });
  api.faults.metadata.lose = {};
};

describe("stale-if-error", () => {
  test.each([500, 502, 503, 429, 408])("a copy is served when the upstream answers %d", async (status) => {
    const { manager, events } = await filled();
    api.faults.refuse = { status };
    const stream = await manager.get(slug, version);
    expect(stream.origin).toBe("stale");
    expect((await collect(stream)).sha256).toBe(await image.sha256);
    expect(events.types()).toEqual(["stale-served"]);
    expect(api.counters.downloads).toBe(1); // somebody waits, and there is something to give
  });

  test.each([
    [200, "<html>Sign in</html>"],
    [200, { error: "maintenance" }],
    [302, ""],
  ])("a copy is served when a page answers the look-ups: %d %j", async (status, body) => {
    const { manager } = await filled();
    api.faults.metadata.refuse = { status, body };
    for (const wanted of ["^6.0.0", "latest"]) {
      const stream = await manager.get(slug, wanted);
      expect(stream).toMatchObject({ origin: "stale", version });
      await stream.cancel();
    }
    expect(await manager.resolve(slug, "^6.0.0")).toBe(version);
  });

  test("a copy is served when nobody answers at all", async () => {
    const storage = memoryAdapter();
    await filled({ storage });
    // The same identity, and an upstream where nothing listens.
    const source = { ...balenaSdkSource({ apiUrl: "http://127.0.0.1:1" }), id: api.url };
    const { manager } = createTestManager(api, { storage, source });
    for (const wanted of [version, "^6.0.0", "latest"]) {
      const stream = await manager.get(slug, wanted);
      expect(stream).toMatchObject({ origin: "stale", version });
      expect((await collect(stream)).sha256).toBe(await image.sha256);
    }
  });

  test("counts from the end of maxAge, and ends with staleIfErrorMs", async () => {
    const { manager, clock } = await filled({ freshness: { maxAgeMs: hour, staleIfErrorMs: 2 * hour } });
    lose();
    clock.advance(3 * hour);
    expect((await manager.get(slug, version)).origin).toBe("stale");
    expect((await manager.get(slug, "^6.0.0")).origin).toBe("stale");
    clock.advance(1);
    await expect(manager.get(slug, version)).rejects.toMatchObject({ code: "UPSTREAM", status: 503 });
    await expect(manager.get(slug, "^6.0.0")).rejects.toMatchObject({ code: "UPSTREAM" });
  });

  test("a look-up that nothing can stand in for is tried again", async () => {
    const { manager, clock } = await filled({ freshness: { staleIfErrorMs: hour } });
    clock.advance(hour + 1);
    api.faults.metadata.lose = { times: 1 };
    expect((await manager.get(slug, "^6.0.0")).origin).toBe("cache");
  });

  test("a younger version stands in for one that is past its time", async () => {
    const { manager, clock } = await filled({ freshness: { staleIfErrorMs: hour } }, [version, "6.0.10"]);
    clock.advance(hour + 1);
    await manager.prefetch(slug, "6.0.10");
    lose();
    expect(await manager.get(slug, "^6.0.0")).toMatchObject({ origin: "stale", version: "6.0.10" });
  });

  test("staleIfErrorMs 0 means never", async () => {
    const { manager, clock } = await filled({ freshness: { staleIfErrorMs: 0 } });
    clock.advance(1);
    lose();
    await expect(manager.get(slug, version)).rejects.toMatchObject({ code: "UPSTREAM" });
  });

  test.each(["no-cache", "reload", "no-store"] as const)("%s wants the upstream's word", async (cache) => {
    const { manager } = await filled();
    api.faults.refuse = { status: 503 };
    await expect(manager.get(slug, version, { cache })).rejects.toMatchObject({ code: "UPSTREAM" });
    lose();
    await expect(manager.get(slug, "^6.0.0", { cache })).rejects.toMatchObject({ code: "UPSTREAM" });
  });

  test("prefetch and isFresh say how things are", async () => {
    const { manager } = await filled();
    lose();
    expect(await manager.prefetch(slug, version)).toMatchObject({ version });
    await expect(manager.isFresh(slug, version)).rejects.toMatchObject({ code: "UPSTREAM" });
  });
});

describe("a refusal is never answered from the cache", () => {
  test.each([
    [401, "UNAUTHORIZED"],
    [403, "UNAUTHORIZED"],
    [404, "VERSION_NOT_FOUND"],
    [410, "VERSION_NOT_FOUND"],
  ])("%d of the download: %s", async (status, code) => {
    const { manager, events } = await filled();
    api.faults.refuse = { status };
    await expect(manager.get(slug, version)).rejects.toMatchObject({ code });
    expect(events.types()).not.toContain("stale-served");
    api.faults.reset();
    expect((await manager.get(slug, version)).origin).toBe("cache"); // the copy is still there
  });

  test.each([
    [401, "UNAUTHORIZED"],
    [403, "UNAUTHORIZED"],
  ])("%d of the version list: %s", async (status, code) => {
    const { manager } = await filled();
    api.faults.metadata.refuse = { status };
    await expect(manager.get(slug, "^6.0.0")).rejects.toMatchObject({ code });
    await expect(manager.versions(slug)).rejects.toMatchObject({ code });
  });
});

describe("resolution without the upstream", () => {
  test("a range is the best version that is cached, not the best there is", async () => {
    const { manager } = await filled({}, ["6.0.10", "2.60.1+rev1.prod", "2023.1.0"]);
    lose();
    expect(await manager.resolve(slug, "^6.0.0")).toBe("6.0.10");
    expect(await manager.resolve(slug, "latest")).toBe("6.0.10");
    expect(await manager.resolve(slug, "~2.60.0")).toBe("2.60.1+rev1.prod");
    expect(await manager.resolve(slug, "2023.x")).toBe("2023.1.0");
    await expect(manager.resolve("raspberry-pi4", "2.60.1")).rejects.toMatchObject({ code: "UPSTREAM" });
    expect((await manager.get(slug, "*")).version).toBe("6.0.10");
    await expect(manager.get(slug, "~2.88.0")).rejects.toMatchObject({ code: "UPSTREAM" });
  });

  test("works by alias if the alias was used before", async () => {
    const { manager } = createTestManager(api);
    await manager.prefetch("raspberry-pi4", version);
    lose();
    expect(await manager.get("raspberry-pi4", "^6.0.0")).toMatchObject({
      deviceType: slug,
      version,
      origin: "stale",
    });
  });

  test("takes only images of the variant and scope that are asked for", async () => {
    const { manager } = await filled();
    await manager.prefetch(slug, "6.0.10", { developmentMode: true });
    lose();
    expect((await manager.get(slug, "^6.0.0", { developmentMode: true })).version).toBe("6.0.10");
    await expect(manager.get(slug, "^6.0.0", { scope: "somebody" })).rejects.toMatchObject({
      code: "UPSTREAM",
    });
  });

  test("works if the catalog is lost", async () => {
    const storage = memoryAdapter();
    const { manager } = await filled({ storage }, ["6.0.10", version]);
    for (const key of await storage.getKeys("balena-images:v1:catalog:", {}))
      await storage.removeItem?.(key, {});
    lose();
    expect((await manager.get(slug, "~6.0.0")).version).toBe("6.0.10");
    expect(await manager.get(slug, version)).toMatchObject({ version, origin: "stale" });
  });

  test("versions are those last seen", async () => {
    const { manager } = createTestManager(api);
    const seen = await manager.versions(slug);
    lose();
    expect(await manager.versions(slug)).toEqual(seen);
    await expect(manager.versions(slug, { includeDrafts: true })).rejects.toMatchObject({ code: "UPSTREAM" });
  });

  test("a hiccup of the version list is retried, also for a device type that was seen before", async () => {
    const { manager } = createTestManager(api);
    await manager.versions(slug);
    api.faults.metadata.refuse = { status: 503, times: 1 };
    expect(await manager.resolve(slug, "^6.0.0")).toBe(version);
    api.faults.metadata.lose = { times: 2 };
    expect(await manager.resolve(slug, "^6.0.0")).toBe(version);
  });
});
