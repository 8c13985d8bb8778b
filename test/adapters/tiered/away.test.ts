/** The far store is away: the site works on, and when the far store comes back it gets what it missed. */
import { expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { keysOf } from "../../support/stored-values.ts";
import { createTestManager } from "../../support/test-manager.ts";
import { site, steeredTime } from "./site.ts";

const api = await sharedApi({ imageBytes: 512 * 1024, holeFree: true });
const imageOf = (wanted: string) => api.image(slug, wanted).sha256;
const dayMs = 24 * 60 * 60 * 1000;

test("a hit comes from near, and is asked of the upstream as ever", async () => {
  const { manager, line } = site(api);
  await manager.prefetch(slug, version);
  line.sever();
  const stream = await manager.get(slug, version);
  expect(stream.origin).toBe("cache");
  expect((await collect(stream)).sha256).toBe(await imageOf(version));
});

test("a hit whose upstream is away too is stale", async () => {
  const { manager, line } = site(api);
  await manager.prefetch(slug, version);
  line.sever();
  api.faults.metadata.refuse = { status: 503 };
  api.faults.refuse = { status: 503 };
  const stream = await manager.get(slug, version);
  expect(stream.origin).toBe("stale");
  expect((await collect(stream)).sha256).toBe(await imageOf(version));
});

test("a far store that hangs costs one short wait", async () => {
  const hanging = { ...memoryAdapter() };
  const { manager } = site(api, { far: hanging, manager: { freshness: { maxAgeMs: dayMs } } });
  await manager.prefetch(slug, version);
  const calls: string[] = [];
  hanging.getItemRaw = (key) => {
    calls.push(key);
    return new Promise(() => {});
  };
  expect((await collect(await manager.get(slug, version))).sha256).toBe(await imageOf(version));
  expect(calls.length).toBeLessThanOrEqual(2);
});

test("seven days without it", async () => {
  const time = steeredTime();
  const near = memoryAdapter();
  const far = memoryAdapter();
  const { manager, line, clock, storage, events } = site(api, { near, far });
  await manager.prefetch(slug, "6.0.10");
  line.sever();
  const versions = ["6.0.10", version, "6.0.10+rev1", "6.0.10", version, "6.0.10", version];
  for (const wanted of versions) {
    expect((await collect(await manager.get(slug, wanted))).sha256, wanted).toBe(await imageOf(wanted));
    expect(storage.capabilities.completeListing).toBe(false);
    expect(await rejection(manager.prune({}))).toMatchObject({ code: "LISTING_INCOMPLETE" });
    clock.advance(dayMs);
    time.advance(dayMs);
  }
  // One transfer of each: what was stored near counts.
  expect(api.counters.transfers).toBe(new Set(versions).size);
  expect(events.of("committed")).toHaveLength(new Set(versions).size);
  expect(await rejection(manager.remove(slug, version))).toMatchObject({ code: "STORE" });

  line.mend();
  await eventually(async () => {
    await manager.inspect(slug, version); // each call looks whether it is back
    expect(storage.capabilities.completeListing).toBe(true);
    expect(await keysOf(far, "images")).toHaveLength(new Set(versions).size);
    expect((await keysOf(near, "images")).every((key) => key.endsWith("~far"))).toBe(true);
  });
  const elsewhere = createTestManager(api, { storage: far }).manager;
  onTestFinished(() => elsewhere.close());
  for (const wanted of versions)
    expect((await collect(await elsewhere.get(slug, wanted))).sha256, wanted).toBe(await imageOf(wanted));
  expect(api.counters.transfers).toBe(new Set(versions).size);
  expect(await elsewhere.verify()).toMatchObject({ damaged: [], unreadable: [] });
});

test("what an earlier process could not send is sent by the next", async () => {
  const [near, far] = [memoryAdapter(), memoryAdapter()];
  const first = site(api, { near, far });
  first.line.sever();
  await first.manager.prefetch(slug, version);
  await first.manager.close();
  expect(await keysOf(far, "images")).toEqual([]);
  const next = site(api, { near, far });
  await next.manager.inspect(slug, version);
  await eventually(async () => expect(await keysOf(far, "images")).toHaveLength(1));
  expect(await createTestManager(api, { storage: far }).manager.verify()).toMatchObject({ damaged: [] });
});

test("two managers of a site share a download while it is away", async () => {
  const [near, far] = [memoryAdapter(), memoryAdapter()];
  const [one, two] = [site(api, { near, far }), site(api, { near, far })];
  for (const { line } of [one, two]) line.sever();
  const streams = await Promise.all([one.manager.get(slug, version), two.manager.get(slug, version)]);
  for (const stream of streams) expect((await collect(stream)).sha256).toBe(await imageOf(version));
  expect(api.counters.transfers).toBe(1);
});

test("it goes in the middle of a transfer: the image is stored near", async () => {
  const { manager, line, near, far, events } = site(api);
  const stream = await manager.get(slug, version);
  const reader = stream.getReader();
  await reader.read();
  line.sever();
  while (!(await reader.read()).done);
  expect(await stream.committed()).toMatchObject({ version });
  expect(events.of("store-fault")).toEqual([]);
  expect(await keysOf(near, "images")).toHaveLength(1);
  line.mend();
  await eventually(async () => {
    await manager.inspect(slug, version);
    expect(await keysOf(far, "images")).toHaveLength(1);
  });
  expect(await createTestManager(api, { storage: far }).manager.verify()).toMatchObject({ damaged: [] });
});
