// Leases and journals that are not what they should be: the image is right all the same, and gets into the cache.
import { describe, expect, test } from "vitest";
import { imageId } from "../../../src/core/identity.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { type JournalSegment, readSegment, writeSegment } from "../../../src/core/store/journal.ts";
import { leaseKey, partialKey } from "../../../src/core/store/keys.ts";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import {
  keysOf,
  lastRangeStart,
  MiB,
  processOver,
  readSome,
  settled,
  shortLease,
  stores,
} from "./support.ts";

const imageBytes = 2 * MiB;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
const sha256 = await api.image(slug, version).sha256;
const raw = { fileType: ".img" } as const;
const otherRaw = { ...raw, developmentMode: true } as const;
const identity = { source: api.url, scope: null, deviceType: slug, version };
const id = await imageId({ ...identity, variant: raw });
const otherId = await imageId({ ...identity, variant: { developmentMode: true, fileType: ".img" } });

const text = (value: string) => new TextEncoder().encode(value) as Uint8Array<ArrayBuffer>;
const json = (value: unknown) => text(JSON.stringify(value));
const lease = { heartbeatMs: 10, ttlMs: 60, pollMs: 5 };
const storeOver = (storage: StoreDriver) => createByteStore(storage, "balena-images");

/** Leaves a partial of an image behind: its first half. */
async function leavePartial(storage: StoreDriver, options: object = raw) {
  stallNext(api, 60);
  const stream = await processOver(api, { storage, lease: shortLease }).manager.get(slug, version, options);
  await readSome(stream, imageBytes / 2);
  // A reader does not wait for the store.
  await eventually(async () => expect((await keysOf(storage, /:chunks:/)).length).toBeGreaterThan(3));
  await stream.cancel();
  await settled(api, storage);
  api.counters.reset();
}

async function expectRight(storage: StoreDriver) {
  const { manager } = processOver(api, { storage, lease });
  const stream = await manager.get(slug, version, raw);
  expect((await collect(stream)).sha256).toBe(sha256);
  expect(await stream.committed()).toMatchObject({ size: imageBytes });
  expect((await collect(await manager.get(slug, version, raw))).sha256).toBe(sha256);
  expect(api.counters.transfers).toBe(1);
}

const header = {
  identity: { ...identity, variant: raw },
  startedAt: 0,
  chunkBytes,
  mime: "a/b",
  validators: { etag: '"x"', fileType: ".img" },
  isInflated: false,
};
const segment = { owner: "o", header, from: 0, digests: [null] };
const digest = "ab".repeat(32);

describe.each(stores)("over %s", (_, newStore) => {
  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["a number", "1e999"],
    ["an owner that is none", '{"owner":null,"beat":1}'],
    ["a beat that is none", '{"owner":"o","beat":"1"}'],
    ["a beat beyond all", '{"owner":"o","beat":1e999}'],
    ["an owner without a name", '{"owner":"","beat":0}'],
  ])("a lease that is %s is passed over after its time", async (_what, value) => {
    const storage = await newStore();
    await storeOver(storage).write(leaseKey(id, 1), text(value));
    await expectRight(storage);
    expect(await keysOf(storage, /:(leases|partials):/)).toEqual([]);
  });

  test.each(["0", "-1", "01", "1.5", "x", "9007199254740991", "9007199254740993", "1e9"])(
    "a lease or journal of epoch %s does no harm",
    async (epoch) => {
      const storage = await newStore();
      const store = storeOver(storage);
      await store.write(leaseKey(id, 0).replace(/0$/, epoch), text("{}"));
      await store.write(partialKey(id, 0, 0).replace(/0:0$/, `${epoch}:0`), text("{}"));
      await expectRight(storage);
    },
  );

  test.each<[string, unknown]>([
    ["no header", { ...segment, header: undefined }],
    ["no owner", { ...segment, owner: "" }],
    ["null for a header", { ...segment, header: null }],
    ["null for validators", { ...segment, header: { ...header, validators: null } }],
    ["a negative place", { ...segment, from: -1 }],
    ["a gap", { ...segment, from: 3, digests: [digest] }],
    ["digests that are none", { ...segment, digests: ["../../etc/passwd", 5] }],
    ["no list of digests", { ...segment, digests: { length: 1e9 } }],
    ["chunks of one byte", { ...segment, header: { ...header, chunkBytes: 1 } }],
    ["chunks of a petabyte", { ...segment, header: { ...header, chunkBytes: 2 ** 50 } }],
    [
      "a file type that is none",
      { ...segment, header: { ...header, validators: { etag: '"x"', fileType: ".exe" } } },
    ],
    [
      "another file type",
      { ...segment, header: { ...header, validators: { etag: '"x"', fileType: ".zip" } } },
    ],
    [
      "an ETag that is no text",
      { ...segment, header: { ...header, validators: { etag: 5, fileType: ".img" } } },
    ],
    [
      "an ETag of two lines",
      { ...segment, header: { ...header, validators: { etag: '"a\r\nb"', fileType: ".img" } } },
    ],
    [
      "another image's identity",
      { ...segment, header: { ...header, identity: { ...identity, variant: otherRaw } } },
    ],
    ["the ETag of another file", { ...segment, digests: [digest, null] }],
  ])("a dead journal with %s", async (_what, value) => {
    const storage = await newStore();
    await writeSegment(storeOver(storage), id, 1, 0, value as JournalSegment);
    await expectRight(storage);
    expect(await keysOf(storage, /:(leases|partials):/)).toEqual([]);
  });

  test("a journal whose seal does not fit is none", async () => {
    const storage = await newStore();
    await storeOver(storage).write(partialKey(id, 1, 0), json({ ...segment, digests: [digest], seal: "0" }));
    await expectRight(storage);
  });

  test("another image's journal under this one's keys, as it is or written again, gives no wrong byte", async () => {
    for (const isWrittenAnew of [false, true]) {
      const storage = await newStore();
      const store = storeOver(storage);
      await leavePartial(storage, otherRaw);
      for (const key of await store.list(`v1:partials:${otherId}:`)) {
        const [epoch, index] = key.split(":").slice(-2).map(Number) as [number, number];
        const found = (await readSegment(store, otherId, epoch, index, undefined))!;
        const forged = { ...found, header: found.header && { ...found.header, identity: header.identity } };
        if (isWrittenAnew) await writeSegment(store, id, epoch, index, forged);
        else await store.write(partialKey(id, epoch, index), (await store.read(key))!);
      }
      await expectRight(storage);
      api.counters.reset();
    }
  });

  test("segments of two owners are not mixed", async () => {
    const storage = await newStore();
    const store = storeOver(storage);
    await leavePartial(storage);
    const own = (await store.list(`v1:partials:${id}:1:`)).length;
    const [first, last] = await Promise.all([
      readSegment(store, id, 1, 0, undefined),
      readSegment(store, id, 1, own - 1, undefined),
    ]);
    const from = last!.from + last!.digests.length;
    await writeSegment(store, id, 1, own, { owner: "another", from, digests: [digest] });
    expect(first!.owner).not.toBe("another");
    await expectRight(storage);
    expect(lastRangeStart(api)).toBe(undefined); // the second get of expectRight was a conditional one
    expect(api.counters.requestLog[0]!.headers.range).toBe(`bytes=${from * chunkBytes}-`);
  });

  test.each([
    ["missing", (store: ReturnType<typeof storeOver>, key: string) => store.remove(key)],
    ["damaged", (store: ReturnType<typeof storeOver>, key: string) => store.write(key, text("?"))],
  ])("a partial of which a chunk is %s is taken up to there", async (_what, spoil) => {
    const storage = await newStore();
    const store = storeOver(storage);
    await leavePartial(storage);
    const segments = await store.list(`v1:partials:${id}:1:`);
    const digests: (string | null)[] = [];
    for (let index = 0; index < segments.length; index++)
      digests.push(...(await readSegment(store, id, 1, index, undefined))!.digests);
    const last = digests.length - 1;
    expect(last).toBeGreaterThan(0);
    await spoil(store, `v1:chunks:${digests[last]!.slice(0, 2)}:${digests[last]}`);
    await expectRight(storage);
    expect(api.counters.requestLog[0]!.headers.range).toBe(`bytes=${last * chunkBytes}-`);
  });
});
