/** Revalidation end to end: which validators the upstream has, which of them change, and what becomes of the copy. */
import { describe, expect, test } from "vitest";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024, downloads: "with-validators" });
const old = await api.image(slug, version).sha256;
const changed = await api.image(slug, version, {}, 1).sha256;
const lastDownload = () => api.counters.requestLog.findLast(({ url }) => url.startsWith("/download"));

type Faults = Partial<Pick<typeof api.faults, "etag" | "lastModified" | "date" | "change" | "contentLength">>;

/** Gets the image twice, the upstream as `first` and then as `second` says. */
async function twice(first: Faults, second: Faults) {
  const { manager, events } = createTestManager(api);
  Object.assign(api.faults, first);
  await collect(await manager.get(slug, version));
  api.counters.reset();
  events.clear();
  Object.assign(api.faults, second);
  const stream = await manager.get(slug, version);
  const { sha256 } = await collect(stream);
  await stream.committed();
  return { origin: stream.origin, sha256, types: events.types(), manager };
}

const kept = { origin: "cache", sha256: old };
const replaced = { origin: "network", sha256: changed };
const bothChange = { change: { content: true, validators: true } };

describe("a conditional request", () => {
  test("carries the ETag and the date of the file that was fetched", async () => {
    expect(await twice({}, {})).toMatchObject({ ...kept, types: ["revalidated"] });
    expect(lastDownload()?.headers).toMatchObject({
      "if-none-match": expect.stringMatching(/^".*\.gz-1"$/),
      "if-modified-since": "Wed, 04 Mar 2026 05:06:07 GMT",
    });
    expect(api.counters).toMatchObject({ notModified: 1, transfers: 0 });
  });

  test("carries nothing if nothing is known", async () => {
    const none = { etag: "none", lastModified: "none" } as const;
    expect(await twice(none, {})).toMatchObject({ sha256: old });
    expect(lastDownload()?.headers["if-none-match"]).toBeUndefined();
    expect(lastDownload()?.headers["if-modified-since"]).toBeUndefined();
  });

  test("a changed image takes the old one's place, in the cache too", async () => {
    const { manager, ...got } = await twice({}, bothChange);
    expect(got).toMatchObject({ ...replaced, types: ["committed"] });
    expect(api.counters).toMatchObject({ transfers: 1, downloads: 1 });
    const again = await manager.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(again)).sha256).toBe(changed);
  });
});

describe("the rules, first match wins", () => {
  const before = new Date("2026-03-01T00:00:00Z");
  const fetched = new Date("2026-03-10T00:00:00Z");
  const after = new Date("2026-03-20T00:00:00Z");

  test.each<[string, Faults, Faults, typeof kept]>([
    ["a strong ETag that is still the same: kept", { lastModified: "none" }, {}, kept],
    [
      "a strong ETag that changed, the date did not: replaced",
      {},
      { ...bothChange, lastModified: "none" },
      replaced,
    ],
    ["a weak ETag that is still the same: kept", { etag: "weak" }, { etag: "weak" }, kept],
    [
      "a weak ETag that changed, with nothing else to go by: replaced",
      { etag: "weak", lastModified: "none", contentLength: "omitted" },
      { etag: "weak", lastModified: "none", contentLength: "omitted", ...bothChange },
      replaced,
    ],
    ["no ETags, another date: replaced", { etag: "none" }, { etag: "none", ...bothChange }, replaced],
    [
      "a date only later, from before the fetch: kept",
      { etag: "none", lastModified: "none", date: fetched },
      { etag: "none", lastModified: before },
      kept,
    ],
    [
      "a date only later, from after the fetch: replaced",
      { etag: "none", lastModified: "none", date: fetched },
      { etag: "none", lastModified: after, ...bothChange, contentLength: "omitted" },
      replaced,
    ],
    [
      "nothing known at all: kept",
      { etag: "none", lastModified: "none", contentLength: "omitted" },
      { etag: "none", lastModified: "none", contentLength: "omitted" },
      kept,
    ],
  ])("%s", async (_, first, second, expected) => {
    expect(await twice(first, second)).toMatchObject(expected);
  });

  test("a 200 that is judged fresh is cancelled at once", async () => {
    const none = { etag: "none", lastModified: "none" } as const;
    const { manager } = createTestManager(api);
    Object.assign(api.faults, none);
    await manager.prefetch(slug, version);
    api.counters.reset();
    stallNext(api, 25); // until its client leaves
    const stream = await manager.get(slug, version);
    expect(stream.origin).toBe("cache");
    await eventually(() => expect(api.counters.openConnections).toBe(0));
    expect((await collect(stream)).sha256).toBe(old);
    expect(api.counters.bytesSent).toBeLessThan((await api.image(slug, version).gzBytes()) / 2);
  });

  test("validators of the .img say nothing about the .gz", async () => {
    const { manager } = createTestManager(api);
    api.faults.refuse = { status: 400, fileTypes: [".gz"] };
    await manager.prefetch(slug, version);
    api.counters.reset();
    // The stored copy came as .img, so that is asked for first, and found unchanged.
    expect((await manager.get(slug, version)).origin).toBe("cache");
    expect(api.counters).toMatchObject({ downloads: 1, notModified: 1 });
  });
});

describe("a refresh that fails leaves the old image whole", () => {
  test.each([
    ["its connection is lost", { lose: { atPercent: 60 } }, "UPSTREAM"],
    ["its body ends short", { endShort: { atPercent: 60, how: "content-length" } }, "UPSTREAM"],
    ["its file ends short", { endShort: { atPercent: 60, how: "gzip-file" } }, "TRUNCATED_DOWNLOAD"],
  ] as const)("%s", async (_, faults, code) => {
    const { manager } = createTestManager(api);
    const before = await manager.prefetch(slug, version);
    Object.assign(api.faults, faults, bothChange, { ranges: "off" });
    const stream = await manager.get(slug, version);
    expect(stream.origin).toBe("network");
    await expect(collect(stream)).rejects.toMatchObject({ code });
    await expect(stream.committed()).rejects.toMatchObject({ code });
    expect(await manager.inspect(slug, version)).toEqual(before);
    const kept = await manager.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(kept)).sha256).toBe(old);
    // Once the upstream is well again, the next get is right.
    Object.assign(api.faults, { lose: undefined, endShort: undefined });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(changed);
  });
});
