/** A store in which anything may lie under any key: what does not check out is a miss, never a crash and never a wrong image. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { type ImageIdentity, imageId } from "../../../src/core/identity.ts";
import type { ImageInfo, ImageManager, StoreDriver } from "../../../src/core/index.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { type JournalHeader, writeSegment } from "../../../src/core/store/journal.ts";
import { encodeSealed } from "../../../src/core/store/json.ts";
import { imageDigest } from "../../../src/core/store/manifest.ts";
import { fakeClock } from "../../support/clock.ts";
import { arrayOf, collect } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { keysOf, readJson, write } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 1024 * 1024 });
const sha256 = await api.image(slug, version).sha256;
const manifestKey = ({ id }: ImageInfo) => `balena-images:v1:images:${id}`;
const isComplete = (entry: object) => !("isComplete" in entry && entry.isComplete === false);

async function filled(options: Parameters<typeof createTestManager>[1] = {}) {
  const storage = memoryAdapter();
  const made = createTestManager(api, { storage, freshness: { maxAgeMs: 60_000 }, ...options });
  const info = await made.manager.prefetch(slug, version);
  api.counters.reset();
  return { ...made, storage, info };
}

/** The image is not found, and comes right out of the next get. */
async function expectMiss(manager: ImageManager, storage: StoreDriver, info: ImageInfo) {
  expect(await manager.inspect(slug, version)).toBeUndefined();
  expect((await arrayOf(manager.list())).filter(isComplete)).toEqual([]);
  expect(await manager.isFresh(slug, version)).toBe(false);
  await expect(manager.get(slug, version, { cache: "only-if-cached" })).rejects.toMatchObject({
    code: "NOT_CACHED",
  });
  expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
  expect(api.counters.transfers).toBe(1);
  expect(await manager.inspect(slug, version)).toMatchObject({ id: info.id, etag: info.etag });
  expect(await keysOf(storage, "images")).toHaveLength(1);
}

type Manifest = Record<string, unknown>;

describe("a manifest of garbage is a miss", () => {
  test.each<[string, Uint8Array | string]>([
    ["nothing", ""],
    ["no JSON", "{"],
    ["half a manifest", '{"identity":{"source":"http://'],
    ["no UTF-8", Uint8Array.of(0xff, 0xfe, 0x00, 0xc3)],
    ["null", "null"],
    ["a number", "7"],
    ["a text", '"manifest"'],
    ["a list", "[]"],
    ["an empty object", "{}"],
    ["the prototype's names", '{"__proto__":{"size":1},"constructor":1}'],
    ["deep nesting", "[".repeat(20_000)],
  ])("%s", async (_, value) => {
    const { manager, storage, info } = await filled();
    await write(storage, manifestKey(info), value);
    await expectMiss(manager, storage, info);
  });

  test.each<[string, (manifest: Manifest) => Manifest]>([
    ["without identity", ({ identity: _, ...rest }) => rest],
    ["without validators", ({ validators: _, ...rest }) => rest],
    ["a negative size", (manifest) => ({ ...manifest, size: -1 })],
    ["a size that is a text", (manifest) => ({ ...manifest, size: String(manifest["size"]) })],
    ["a size that is too large for its chunks", (manifest) => ({ ...manifest, size: 2 ** 40 })],
    ["another size in the last chunk", (manifest) => ({ ...manifest, size: Number(manifest["size"]) - 1 })],
    ["a chunk size of 0", (manifest) => ({ ...manifest, chunkBytes: 0 })],
    ["half a byte", (manifest) => ({ ...manifest, chunkBytes: 0.5 })],
    ["chunks that are no list", (manifest) => ({ ...manifest, chunks: "abc" })],
    ["no chunks", (manifest) => ({ ...manifest, chunks: [] })],
    ["one chunk too many", (manifest) => ({ ...manifest, chunks: [...(manifest["chunks"] as []), null] })],
    [
      "a chunk that is no digest",
      (manifest) => ({ ...manifest, chunks: (manifest["chunks"] as []).map(() => "../x") }),
    ],
    [
      "chunks in another order",
      (manifest) => ({ ...manifest, chunks: (manifest["chunks"] as []).toReversed() }),
    ],
    [
      "a chunk that became a hole",
      (manifest) => ({ ...manifest, chunks: (manifest["chunks"] as []).with(0, null as never) }),
    ],
    ["another digest", (manifest) => ({ ...manifest, digest: "0".repeat(64) })],
    ["a time that no Date holds", (manifest) => ({ ...manifest, createdAt: 8.65e15 })],
    ["a mime that no header can carry", (manifest) => ({ ...manifest, mime: "a/b\nx: y" })],
    ["a mime that Node's server refuses", (manifest) => ({ ...manifest, mime: "a/b; c=\u0001" })],
    ["a mime that is none", (manifest) => ({ ...manifest, mime: "" })],
    ["a mime without end", (manifest) => ({ ...manifest, mime: `a/${"b".repeat(10_000)}` })],
    ["a time that is none", (manifest) => ({ ...manifest, validatedAt: "yesterday" })],
    ["pinned by a text", (manifest) => ({ ...manifest, pinned: "yes" })],
    [
      "another version",
      (manifest) => ({ ...manifest, identity: { ...(manifest["identity"] as object), version: "9.9.9" } }),
    ],
    [
      "another source",
      (manifest) => ({
        ...manifest,
        identity: { ...(manifest["identity"] as object), source: "http://evil" },
      }),
    ],
    [
      "a variant that is none",
      (manifest) => ({
        ...manifest,
        identity: { ...(manifest["identity"] as object), variant: { developmentMode: 1 } },
      }),
    ],
    [
      "an ETag that is a number",
      (manifest) => ({ ...manifest, validators: { ...(manifest["validators"] as object), etag: 1 } }),
    ],
    [
      "an ETag that can't be sent",
      (manifest) => ({ ...manifest, validators: { ...(manifest["validators"] as object), etag: '"a\nb"' } }),
    ],
    [
      "an ETag that Node's client refuses",
      (manifest) => ({
        ...manifest,
        validators: { ...(manifest["validators"] as object), etag: '"\u0001"' },
      }),
    ],
    [
      "a file's size that is half a byte",
      (manifest) => ({ ...manifest, validators: { ...(manifest["validators"] as object), size: 0.5 } }),
    ],
    [
      "a file type that is none",
      (manifest) => ({
        ...manifest,
        validators: { ...(manifest["validators"] as object), fileType: ".exe" },
      }),
    ],
  ])("%s", async (_, change) => {
    const { manager, storage, info } = await filled();
    const key = manifestKey(info);
    await write(storage, key, JSON.stringify(change(await readJson(storage, key))));
    await expectMiss(manager, storage, info);
  });
});

test("a chunk size that no memory holds is a miss, though its digest is right", async () => {
  const { manager, storage, info } = await filled();
  const key = manifestKey(info);
  const huge = { size: 2 ** 40, chunkBytes: 2 ** 40, chunks: [null] };
  const manifest = { ...(await readJson(storage, key)), ...huge, digest: await imageDigest(huge) };
  await write(storage, key, JSON.stringify(manifest));
  await expectMiss(manager, storage, info);
});

test("more chunks than a call may have arguments, in an image and in a journal", async () => {
  const { manager, storage, info } = await filled();
  const many = 130_000; // Node takes some 125,000
  const digests = Array.from({ length: many }, (_, index) => index.toString(16).padStart(64, "0"));
  const stored = await readJson(storage, manifestKey(info));
  const content = { size: many, chunkBytes: 1, chunks: digests };
  const manifest = { ...stored, ...content, digest: await imageDigest(content) };
  await write(storage, manifestKey(info), JSON.stringify(manifest));
  const header = {
    ...stored,
    startedAt: Date.now(),
    size: many * chunkBytes,
    chunkBytes,
    isInflated: false,
  } as unknown as JournalHeader;
  const segment = { owner: "o", header, from: 0, digests };
  await writeSegment(createByteStore(storage, "balena-images"), info.id, 1, 0, segment);
  const partials = (await arrayOf(manager.list())).filter((entry) => !isComplete(entry));
  expect(partials).toMatchObject([{ transferredBytes: many * chunkBytes }]);
  expect(await manager.verify()).toMatchObject({ chunks: many, damaged: [{ id: info.id }] });
});

test.each([
  ["deviceType", "../../etc"],
  ["version", "../../6.1.0"],
  ["version", "6.1.0?x=y"],
])("an identity with the %s %s is not listed, though its id is right", async (name, value) => {
  const { manager, storage, info } = await filled();
  const stored = await readJson(storage, manifestKey(info));
  const identity = { ...(stored["identity"] as ImageIdentity), [name]: value };
  await write(
    storage,
    `balena-images:v1:images:${await imageId(identity)}`,
    JSON.stringify({ ...stored, identity }),
  );
  expect((await arrayOf(manager.list())).map(({ id }) => id)).toEqual([info.id]);
});

describe("a sealed catalog whose content makes no sense", () => {
  const seenAt = fakeClock().now();
  const versions = [{ version, line: "default", draft: false }];
  test.each<[string, object]>([
    ["a slug that is none", { deviceType: "../../etc", versions, seenAt }],
    ["a slug in capitals", { deviceType: "Raspberry Pi", versions, seenAt }],
    ["a time that is none", { deviceType: slug, versions, seenAt: 1e300 }],
    ["a flag that is none", { deviceType: slug, versions, includesDrafts: "yes", seenAt }],
    [
      "versions of another shape",
      { deviceType: slug, versions: [{ version: 6, line: "default", draft: false }], seenAt },
    ],
  ])("%s counts as nothing", async (_, entry) => {
    const { manager, storage } = await filled();
    const [key] = (await keysOf(storage, "catalog")) as [string];
    await write(storage, key, await encodeSealed(key.replace("balena-images:", ""), entry));
    expect(await manager.resolve(slug, "^6.0.0")).toBe(version);
    expect(await manager.get(slug, "^6.0.0").then((stream) => stream.cancel())).toBeUndefined();
    expect(await readJson(storage, key)).toMatchObject({ deviceType: slug }); // and is written over
  });

  test("a version that can't be one is never chosen", async () => {
    const { manager, storage } = await filled();
    const [key] = (await keysOf(storage, "catalog")) as [string];
    const hostile = ["../../6.9.0", "6.9.0 ", "6.9.0\n", `6.9.${"0".repeat(500)}`];
    const listed = [...hostile, version].map((name) => ({ version: name, line: "default", draft: false }));
    await write(
      storage,
      key,
      await encodeSealed(key.replace("balena-images:", ""), { deviceType: slug, versions: listed, seenAt }),
    );
    expect(await manager.resolve(slug, "latest")).toBe(version);
  });
});

test("last uses and sightings of garbage count as nothing", async () => {
  const { manager, storage, info } = await filled();
  for (const usedAt of [1e300, -1, "now", null, {}]) {
    await write(storage, `balena-images:v1:uses:${info.id}`, JSON.stringify({ usedAt }));
    const [listed] = await arrayOf(manager.list());
    expect(listed).toMatchObject({ lastUsedAt: info.createdAt });
  }
  const sighting = { sightedAt: 0, digests: ["../../x", 7] };
  await write(storage, "balena-images:v1:orphans", await encodeSealed("v1:orphans", sighting));
  expect(await manager.prune()).toMatchObject({ orphans: 0 });
});

// Node parses deeper nesting than it can write again.
describe("nesting too deep to be written again is no value", () => {
  const deep = `{"deviceType":"${slug}","seal":"x","a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;

  test.each(["images", "uses", "catalog", "leases", "partials", "orphans"])("among the %s", async (kind) => {
    const { manager, storage, info } = await filled();
    const keys = {
      images: [manifestKey(info)],
      uses: [`balena-images:v1:uses:${info.id}`],
      catalog: await keysOf(storage, "catalog"),
      leases: [`balena-images:v1:leases:${info.id}:1`],
      partials: [`balena-images:v1:partials:${info.id}:1:0`],
      orphans: ["balena-images:v1:orphans"],
    }[kind]!;
    for (const key of keys) await write(storage, key, deep);
    expect(await manager.resolve(slug, "^6.0.0")).toBe(version);
    expect(await arrayOf(manager.list())).toHaveLength(kind === "images" ? 0 : 1);
    expect(await manager.prune()).toMatchObject({ evicted: [] });
    expect(await manager.verify({ repair: true })).toMatchObject({ damaged: [] });
    const stream = await manager.get(slug, version, { cache: "reload" });
    expect((await collect(stream)).sha256).toBe(sha256);
  });
});

describe("things that were moved", () => {
  test("a manifest under another image's key does not answer for it", async () => {
    const { manager, storage, info } = await filled();
    const dev = await manager.prefetch(slug, version, { developmentMode: true });
    const [a, b] = [manifestKey(info), manifestKey(dev)];
    const [plain, developed] = [await readJson(storage, a), await readJson(storage, b)];
    await write(storage, a, JSON.stringify(developed));
    await write(storage, b, JSON.stringify(plain));
    api.counters.reset();
    expect((await collect(await manager.get(slug, version))).sha256).toBe(sha256);
    const stream = await manager.get(slug, version, { developmentMode: true });
    expect((await collect(stream)).sha256).toBe(
      await api.image(slug, version, { developmentMode: true }).sha256,
    );
    expect(api.counters.transfers).toBe(2);
  });

  test("strange keys among the manifests are passed over", async () => {
    const { manager, storage } = await filled();
    for (const key of ["x", "a~b~c", `${slug}~6.1.0~${"0".repeat(32)}`, `${slug}~`, "deep:er:key"]) {
      await write(storage, `balena-images:v1:images:${key}`, "{}");
    }
    expect((await arrayOf(manager.list())).map((info) => info.version)).toEqual([version]);
    api.faults.metadata.lose = {};
    expect((await manager.get(slug, "^6.0.0", { cache: "only-if-cached" })).version).toBe(version);
    await manager.cleanCache();
    expect(await storage.getKeys("", {})).toEqual([]);
  });
});

describe("a catalog of garbage", () => {
  const texts = [
    "",
    "{",
    "null",
    "[]",
    '{"deviceType":"../../etc","seenAt":0}',
    `{"deviceType":"intel-nuc","seenAt":${Date.now()}}`,
    `{"deviceType":"${slug}","versions":"6.1.0","seenAt":${Date.now()}}`,
    `{"deviceType":"${slug}","versions":[{"version":"9.9.9","line":"default","draft":false}],"seenAt":${Date.now()}}`,
    `{"deviceType":"${slug}","versions":[null],"seenAt":"now"}`,
  ];
  test.each(texts)("%s counts as nothing", async (text) => {
    const { manager, storage } = await filled();
    const keys = await keysOf(storage, "catalog");
    expect(keys).toHaveLength(1);
    for (const key of keys) await write(storage, key, text);
    expect(await manager.resolve(slug, "^6.0.0")).toBe(version);
    expect((await manager.versions(slug)).length).toBeGreaterThan(5);
    const stream = await manager.get(slug, "^6.0.0");
    expect(stream).toMatchObject({ deviceType: slug, version });
    expect((await collect(stream)).sha256).toBe(sha256);
  });

  test("one that was moved to another device type does not answer for it", async () => {
    const { manager, storage } = await filled();
    const [key] = (await keysOf(storage, "catalog")) as [string];
    await write(storage, key.replace(slug, "intel-nuc"), JSON.stringify(await readJson(storage, key)));
    expect(await manager.resolve("intel-nuc")).toBe("6.4.0+rev1");
    expect(await manager.get("intel-nuc", "6.3.2")).toMatchObject({
      deviceType: "intel-nuc",
      version: "6.3.2",
    });
  });
});
