// What an interrupted get leaves is taken up by range where that is provably the same file, and started over where it is not.
import { describe, expect, test } from "vitest";
import type { DownloadFaults } from "../../support/balena-api/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { keysOf, MiB, processOver, readSome, settled, shortLease, stores } from "./support.ts";

const imageBytes = 4 * MiB;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const sha256 = await api.image(slug, version).sha256;
const changedSha256 = await api.image(slug, version, {}, 1).sha256;
const raw = { fileType: ".img" } as const;
const newProcess = (storage: Awaited<ReturnType<(typeof stores)[number][1]>>) =>
  processOver(api, { storage, lease: shortLease });

type Faults = Partial<DownloadFaults>;
/** `by range`: no more than two chunks come again. `again`: all of it comes again. */
const cases: [string, object, "by range" | "again", Faults, Faults?][] = [
  ["raw, ranges on", raw, "by range", {}],
  ["raw, several breaks more", raw, "by range", {}, { lose: { atPercent: 40, times: 2 } }],
  ["raw, ranges off", raw, "again", { ranges: "off" }],
  ["raw, ranges ignored", raw, "again", { ranges: "ignored" }],
  ["raw, another range", raw, "again", { ranges: "wrong" }],
  ["raw, 416", raw, "again", { ranges: "unsatisfiable" }],
  ["raw, another validator", raw, "again", {}, { change: { content: false, validators: true } }],
  ["raw, a weak validator", raw, "again", { etag: "weak" }],
  ["raw, no validator", raw, "again", { etag: "none", lastModified: "none" }],
  [".gz", {}, "again", {}],
  [".gz of several members", {}, "again", { gzipMembers: 5 }],
  [
    ".gz of several members, several breaks more",
    {},
    "again",
    { gzipMembers: 5 },
    { lose: { atPercent: 40, times: 2 } },
  ],
  [".gz taken as it is", { fileType: ".gz" }, "by range", {}],
];

describe.each(stores)("over %s", (_, newStore) => {
  test.each(cases)("%s", async (_what, options, way, faults, later = {}) => {
    const storage = await newStore();
    const whole =
      "fileType" in options && options.fileType === ".gz"
        ? await api.image(slug, version).gzBytes()
        : imageBytes;
    Object.assign(api.faults, faults);
    stallNext(api, 60);
    const first = newProcess(storage);
    const left = await first.manager.get(slug, version, options);
    const read = await readSome(left, chunkBytes + 1);
    await left.cancel();
    await settled(api, storage);
    expect(await keysOf(storage, /:images:/)).toEqual([]);
    expect(await keysOf(storage, /:partials:/)).not.toEqual([]);

    Object.assign(api.faults, later);
    api.counters.reset();
    const next = newProcess(storage);
    const stream = await next.manager.get(slug, version, options);
    const image = await collect(stream);
    if (whole === imageBytes) expect(image).toMatchObject({ bytes: imageBytes, sha256 });
    else expect(image.bytes).toBe(whole);
    expect(await stream.committed()).toMatchObject({ size: image.bytes });
    expect(await keysOf(storage, /:(partials|leases):/)).toEqual([]);
    const { range } = api.counters.requestLog[0]!.headers;
    // Without a strong validator, or where the bytes are inflated, no range could prove what it is a part of.
    const isProvable = "fileType" in options && faults.etag === undefined;
    expect(range !== undefined).toBe(isProvable);
    if (way === "by range" && later.lose === undefined)
      expect(api.counters.bytesSent).toBeLessThanOrEqual(whole - read + 2 * chunkBytes);
    if (way === "by range")
      expect(next.events.of("resumed")[0]?.fromByte).toBeGreaterThanOrEqual(read - 2 * chunkBytes);
    else if (later.lose === undefined) expect(next.events.of("resumed")[0]?.fromByte ?? 0).toBe(0);
  });

  test("content that changed behind a partial is never mixed with it", async () => {
    const storage = await newStore();
    stallNext(api, 60);
    const left = await newProcess(storage).manager.get(slug, version, raw);
    await readSome(left, imageBytes / 2);
    await left.cancel();
    await settled(api, storage);
    api.faults.change = { content: true, validators: true };
    const { manager } = newProcess(storage);
    expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(changedSha256);
    expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(changedSha256);
  });

  test("content that changes half-way: who has bytes gets IMAGE_CHANGED, who has none the new image, by one transfer", async () => {
    const storage = await newStore();
    const { manager } = newProcess(storage);
    const goOn = stallNext(api);
    Object.assign(api.faults, {
      lose: { atPercent: 60, times: 1 },
      change: { content: true, validators: true, skip: 1 },
    });
    const begun = await manager.get(slug, version, raw);
    await readSome(begun, chunkBytes);
    const idle = await Promise.all(Array.from({ length: 5 }, () => manager.get(slug, version, raw)));
    goOn();
    const failure = await rejection(collect(begun));
    expect(failure).toMatchObject({ code: "IMAGE_CHANGED" });
    const images = await Promise.all(idle.map(collect));
    for (const image of images) expect(image.sha256).toBe(changedSha256);
    // The broken one, the one that found out, and the new one.
    expect(api.counters.transfers).toBe(3);
    expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(changedSha256);
    expect(api.counters.transfers).toBe(3);
    await settled(api, storage);
  });
});
