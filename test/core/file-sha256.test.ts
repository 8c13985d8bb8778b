// The SHA-256 of an image as a file: on the way, from the store after a download that was continued, and by verify.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { nodeHash } from "../../src/adapters/node/index.ts";
import type { Hasher, StoreDriver } from "../../src/core/index.ts";
import { collect, rejection } from "../support/collect.ts";
import { faultyDriver } from "../support/faulty-driver.ts";
import { cut, managerOver, noise, serving } from "../support/own-parts.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { readJson, write } from "../support/stored-values.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../support/test-manager.ts";

// The last chunk is short, some are holes.
const imageBytes = 20 * chunkBytes + 1000;
const api = await sharedApi({ imageBytes, downloads: "with-validators" });
const sha256 = await api.image(slug, version).sha256;
const on = { sha256: true, hash: nodeHash };

/** Counts reads of chunks. */
function counted() {
  const storage = faultyDriver(memoryAdapter());
  const chunkReads = () =>
    storage.calls.filter(({ operation, key }) => operation === "getItemRaw" && key.includes("v1:chunks"))
      .length;
  return { storage, chunkReads };
}

const managerWith = (options: TestManagerOptions = {}) => createTestManager(api, { ...on, ...options });

describe("with the option sha256", () => {
  test("a download computes it on the way, holes included: no chunk is read for it", async () => {
    const { storage, chunkReads } = counted();
    const { manager } = managerWith({ storage });
    const first = await manager.get(slug, version);
    expect(first.sha256).toBeUndefined();
    expect((await collect(first)).sha256).toBe(sha256);
    expect(await first.committed()).toMatchObject({ sha256 });
    expect(chunkReads()).toBe(0);
  });

  test("inspect, list, prefetch and a stream from the cache say it; a range says that of the whole", async () => {
    const { manager } = managerWith({ freshness: { maxAgeMs: 1e9 } });
    expect(await manager.prefetch(slug, version)).toMatchObject({ sha256 });
    expect(await manager.inspect(slug, version)).toMatchObject({ sha256 });
    for await (const image of manager.list()) expect(image).toMatchObject({ sha256 });
    for (const options of [{}, { range: { start: 5, end: 10 } }]) {
      const stream = await manager.get(slug, version, options);
      expect(stream.sha256).toBe(sha256);
      await stream.cancel();
    }
  });

  test("a pin, a confirmation and a reload without the option keep it", async () => {
    const storage = memoryAdapter();
    const { manager } = managerWith({ storage });
    await manager.prefetch(slug, version);
    await manager.pin(slug, version);
    await manager.prefetch(slug, version, { cache: "no-cache" });
    expect(await manager.inspect(slug, version)).toMatchObject({ pinned: true, sha256 });
    const { manager: without } = createTestManager(api, { storage });
    await without.prefetch(slug, version, { cache: "reload" });
    expect(await without.inspect(slug, version)).toMatchObject({ pinned: true, sha256 });
  });

  test.each(["lost", "lost and starting over"])("a connection that is %s does not matter", async (how) => {
    const { manager, events } = managerWith();
    Object.assign(api.faults, { lose: { atPercent: 60, times: 1 } }, how === "lost" ? {} : { etag: "none" });
    expect(await manager.prefetch(slug, version)).toMatchObject({ sha256 });
    expect(events.of("resumed")).toHaveLength(1);
  });

  test("what a process left is read from the store at the commit", async () => {
    const { storage, chunkReads } = counted();
    const first = managerWith({ storage });
    const stream = await first.manager.get(slug, version, { fileType: ".img" });
    const reader = stream.getReader();
    for (let chunk = 0; chunk < 12; chunk++) await reader.read();
    await first.manager.close();
    const { manager, events } = managerWith({ storage });
    const readsBefore = chunkReads();
    expect(await manager.prefetch(slug, version, { fileType: ".img" })).toMatchObject({ sha256 });
    expect(events.of("resumed")[0]!.fromByte).toBeGreaterThan(0);
    expect(chunkReads()).toBeGreaterThan(readsBefore);
  });

  test("a part that had to be fetched again is hashed as it is", async () => {
    const content = noise(3 * chunkBytes);
    const { parts, files } = cut(content, chunkBytes - 1000, "identity");
    const wrong = content.slice(chunkBytes - 1000, 2 * chunkBytes - 2000);
    wrong[0]! ^= 1; // in a chunk that is whole before the part is
    const served = serving(files);
    let isFirst = true;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const response = await served.fetch(input, init);
      if (!String(input).endsWith("part-1") || !isFirst) return response;
      isFirst = false;
      return new Response(wrong, response);
    };
    const { manager } = managerOver({ parts }, fetch, on);
    const expected = createHash("sha256").update(content).digest("hex");
    expect(await manager.prefetch("board", "1.0.0")).toMatchObject({ sha256: expected });
    expect(isFirst).toBe(false);
  });

  test("an image that is not stored costs no hash", async () => {
    let started = 0;
    const hash: Hasher = Object.assign((bytes: Uint8Array<ArrayBuffer>) => nodeHash(bytes), {
      createSha256() {
        started += 1;
        return nodeHash.createSha256!();
      },
    });
    const { manager } = managerWith({ hash });
    await collect(await manager.get(slug, version, { cache: "no-store" }));
    expect(started).toBe(0);
    await manager.prefetch(slug, version);
    expect(started).toBe(1);
  });

  test.each<[string, () => object]>([
    [
      "throws",
      () => ({
        update: () => undefined,
        digest: () => {
          throw new Error("no");
        },
      }),
    ],
    [
      "rejects",
      () => ({
        update: async () => {
          throw new Error("no");
        },
        digest: () => "",
      }),
    ],
    ["gives no digest", () => ({ update: () => undefined, digest: () => "ABC" })],
  ])("a hash that %s costs the digest, not the image", async (_, createSha256) => {
    const hash = Object.assign((bytes: Uint8Array<ArrayBuffer>) => nodeHash(bytes), {
      createSha256,
    }) as Hasher;
    const { manager, events } = managerWith({ hash });
    const info = await manager.prefetch(slug, version);
    expect(info.size).toBe(imageBytes);
    expect(info.sha256).toBeUndefined();
    expect(events.of("store-fault")).toMatchObject([{ operation: "sha256" }]);
  });

  test("it needs a hash that can do it", async () => {
    for (const hash of [undefined, (async () => ({})) as never]) {
      const failure = await rejection((async () => managerWith({ hash }))());
      expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect((failure as Error).message).toContain("nodeHash of balena-image-manager/node");
    }
  });
});

describe("without the option", () => {
  test("nothing says it, and no running hash is needed", async () => {
    const { manager, storage } = createTestManager(api);
    const { id, ...info } = await manager.prefetch(slug, version);
    expect(info.sha256).toBeUndefined();
    expect(await readJson(storage as StoreDriver, `balena-images:v1:images:${id}`)).not.toHaveProperty(
      "sha256",
    );
  });
});

describe("verify", () => {
  test("computes it for images that were stored without it, and leaves the rest of the manifest alone", async () => {
    const storage = memoryAdapter();
    const { id } = await createTestManager(api, { storage }).manager.prefetch(slug, version);
    const key = `balena-images:v1:images:${id}`;
    const before = await readJson(storage, key);
    await createTestManager(api, { storage }).manager.verify();
    expect(await readJson(storage, key)).toEqual(before);
    await managerWith({ storage }).manager.verify();
    expect(await readJson(storage, key)).toEqual({ ...before, sha256 });
  });

  test("corrects a wrong one", async () => {
    const { manager, storage } = managerWith();
    const { id } = await manager.prefetch(slug, version);
    const key = `balena-images:v1:images:${id}`;
    const manifest = await readJson(storage as StoreDriver, key);
    await write(storage as StoreDriver, key, JSON.stringify({ ...manifest, sha256: "0".repeat(64) }));
    expect(await manager.inspect(slug, version)).toMatchObject({ sha256: "0".repeat(64) });
    await manager.verify();
    expect(await manager.inspect(slug, version)).toMatchObject({ sha256 });
  });

  test("stops when it is aborted", async () => {
    const storage = memoryAdapter();
    await createTestManager(api, { storage }).manager.prefetch(slug, version);
    const { manager, events } = managerWith({ storage });
    const controller = new AbortController();
    const onProgress = ({ percent }: { percent?: number }) =>
      percent === 100 && controller.abort(new Error("enough"));
    const failure = await rejection(manager.verify({ signal: controller.signal, onProgress }));
    expect((failure as Error).message).toBe("enough");
    expect(await manager.inspect(slug, version)).not.toHaveProperty("sha256");
    expect(events.types()).not.toContain("store-fault");
  });
});

test.each(["", "abc", 5, null, "A".repeat(64)])("a manifest with the sha256 %j is a miss", async (wrong) => {
  const { manager, storage } = managerWith();
  const { id } = await manager.prefetch(slug, version);
  const key = `balena-images:v1:images:${id}`;
  const manifest = await readJson(storage as StoreDriver, key);
  await write(storage as StoreDriver, key, JSON.stringify({ ...manifest, sha256: wrong }));
  expect(await manager.inspect(slug, version)).toBeUndefined();
});
