/** How a broken download goes on: by range where that is provably the same file, else from the start, compared. */
import { describe, expect, test } from "vitest";
import type { DownloadFaults } from "../../support/balena-api/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ downloads: "with-validators" });
const image = api.image(slug, version);
const sha256 = await image.sha256;
const gzBytes = await image.gzBytes();
const lost = { lose: { atPercent: 60, times: 1 } };
const downloads = () => api.counters.requestLog.filter(({ url }) => url.startsWith("/download"));

describe("by range", () => {
  test("the inflater goes on where it stood: no byte comes twice", async () => {
    const { manager, events } = createTestManager(api);
    // So slow that little is on the wire, and lost, when the connection goes.
    Object.assign(api.faults, lost, { linkBytesPerSecond: 8e6 });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    const [first, second] = downloads();
    expect(first?.headers.range).toBeUndefined();
    const [fromByte = 0] = events.of("resumed").map((event) => event.fromByte);
    const lostAt = Math.floor((60 * gzBytes) / 100);
    expect(fromByte).toBeGreaterThan(lostAt / 2);
    expect(second).toMatchObject({ status: 206, headers: { range: `bytes=${fromByte}-` } });
    expect(second?.headers["if-range"]).toMatch(/^".*"$/);
    expect(api.counters.bytesSent).toBe(lostAt + (gzBytes - fromByte));
  });

  test.each<[string, Partial<DownloadFaults>]>([
    ["a weak ETag", { etag: "weak" }],
    ["no ETag", { etag: "none" }],
    ["a content coding", { contentCoding: "forced" }],
  ])("is not asked for with %s", async (_, faults) => {
    const { manager, events } = createTestManager(api);
    Object.assign(api.faults, lost, faults);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    expect(downloads().every(({ headers }) => headers.range === undefined)).toBe(true);
    expect(events.of("resumed")).toMatchObject([{ fromByte: 0 }]);
  });

  test.each(["off", "ignored", "wrong", "lying", "unsatisfiable"] as const)(
    "is not trusted: ranges %s",
    async (ranges) => {
      const { manager } = createTestManager(api);
      Object.assign(api.faults, lost, { ranges });
      const stream = await manager.get(slug, version);
      expect((await collect(stream)).sha256).toBe(sha256);
      expect(await stream.committed()).toMatchObject({ size: image.size });
    },
  );

  test("a 206 that says it is another range is not taken for the rest of an .img", async () => {
    const { manager } = createTestManager(api);
    Object.assign(api.faults, lost, { ranges: "wrong" });
    const stream = await manager.get(slug, version, { fileType: ".img" });
    expect((await collect(stream)).sha256).toBe(sha256);
  });
});

describe("the image changed meanwhile", () => {
  const changing = (by: { content: boolean; validators: boolean }) => ({
    ...lost,
    change: { ...by, skip: 1 },
  });

  test("the reader that has bytes gets IMAGE_CHANGED, the next get the new image", async () => {
    const { manager } = createTestManager(api);
    Object.assign(api.faults, changing({ content: true, validators: true }));
    const stream = await manager.get(slug, version);
    await expect(collect(stream)).rejects.toMatchObject({ code: "IMAGE_CHANGED" });
    await expect(stream.committed()).rejects.toMatchObject({ code: "IMAGE_CHANGED" });
    expect(await manager.inspect(slug, version)).toBeUndefined();
    const next = await collect(await manager.get(slug, version));
    expect(next.sha256).toBe(await api.image(slug, version, {}, 1).sha256);
  });

  test("the reader that has none yet gets the new image", async () => {
    const { manager } = createTestManager(api);
    Object.assign(api.faults, {
      lose: { atPercent: 0, times: 1 },
      change: { content: true, validators: true, skip: 1 },
    });
    const stream = await manager.get(slug, version);
    expect((await collect(stream)).sha256).toBe(await api.image(slug, version, {}, 1).sha256);
  });

  test("validators that change alone are no change: the bytes are compared", async () => {
    const { manager } = createTestManager(api);
    Object.assign(api.faults, changing({ content: false, validators: true }));
    const stream = await manager.get(slug, version);
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(await stream.committed()).toMatchObject({ size: image.size });
  });

  test("content that changes behind the same validators never becomes a mixture", async () => {
    const { manager } = createTestManager(api);
    Object.assign(api.faults, changing({ content: true, validators: false }));
    const failure = await rejection(manager.get(slug, version).then(collect));
    expect(failure).toMatchObject({
      code: expect.stringMatching(/^(IMAGE_CHANGED|UPSTREAM|TRUNCATED_DOWNLOAD)$/),
    });
    expect(await manager.inspect(slug, version)).toBeUndefined();
  });
});
