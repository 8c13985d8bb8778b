/** `get`, the main job: the right bytes, once over the wire, and ever after out of the cache with few requests. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { type DownloadKind, downloadTraits } from "../support/balena-api/index.ts";
import { bytesOf, collect, sha256 } from "../support/collect.ts";
import {
  fileResponse,
  gzip,
  noise,
  scriptedUpstream,
  scriptedVersion,
} from "../support/scripted-upstream.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

const api = await sharedApi();
const image = api.image(slug, version);

describe("the first get", () => {
  test("delivers the image raw, for hardly more than the .gz on the wire", async () => {
    const { manager } = createTestManager(api);
    const stream = await manager.get(slug, version);
    const { bytes, sha256, pieces } = await collect(stream);
    expect(bytes).toBe(image.size);
    expect(sha256).toBe(await image.sha256);
    expect(new Set(pieces)).toEqual(new Set([chunkBytes]));
    expect(api.counters.bytesSent).toBeLessThanOrEqual(1.01 * (await image.gzBytes()));
    expect(api.counters.transfers).toBe(1);
  });

  test("says what it carries", async () => {
    const { manager, clock } = createTestManager(api);
    const stream = await manager.get("raspberry-pi4", "~6.0.0");
    expect(stream).toMatchObject({
      deviceType: slug,
      version: "6.0.10+rev1",
      mime: "application/octet-stream",
      origin: "network",
    });
    expect(stream.lastModified).toBeUndefined(); // balena does not say
    expect(stream.size).toBeUndefined(); // nobody knows yet how much the .gz holds
    await collect(stream);
    const info = await stream.committed();
    expect(info).toMatchObject({
      deviceType: slug,
      version: "6.0.10+rev1",
      size: image.size,
      source: api.url,
    });
    expect(info?.createdAt).toEqual(new Date(clock.now()));
    expect(info).toEqual(await manager.inspect(slug, "6.0.10+rev1"));
  });

  test("is committed when the stream ends", async () => {
    const { manager, events } = createTestManager(api);
    await collect(await manager.get(slug, version));
    expect(events.types()).toEqual(["miss", "committed"]);
    expect(await manager.inspect(slug, version)).toMatchObject({ size: image.size });
  });

  test("with no version gets the latest", async () => {
    const { manager } = createTestManager(api);
    const stream = await manager.get(slug);
    expect(stream.version).toBe("6.2.0-beta.1");
    await stream.cancel();
  });

  test("asks for the .gz, declining content coding", async () => {
    const { manager } = createTestManager(api);
    await collect(await manager.get(slug, version));
    const download = api.counters.requestLog.find(({ url }) => url.startsWith("/download"));
    expect(download?.url).toContain("fileType=.gz");
    expect(download?.headers["accept-encoding"]).toBe("identity");
  });
});

describe("a repeated get", () => {
  const repeated = async (wanted: string, maxAgeMs: number, downloads: DownloadKind = "as-balena") => {
    Object.assign(api.faults, downloadTraits[downloads]);
    const { manager, clock, events } = createTestManager(api, { freshness: { maxAgeMs } });
    await collect(await manager.get(slug, wanted));
    api.counters.reset();
    events.clear();
    clock.advance(1000);
    const stream = await manager.get(slug, wanted);
    const result = { stream, events, ...(await collect(stream)) };
    expect(result.sha256).toBe(await api.image(slug, stream.version).sha256);
    return result;
  };

  test.each([version, "^6.0.0", "latest"])("of %s within maxAge makes no request", async (wanted) => {
    const { stream, events } = await repeated(wanted, 2000);
    expect(api.counters.requests).toBe(0);
    expect(stream.origin).toBe("cache");
    expect(events.types()).toEqual(["hit"]);
  });

  test.each(["as-balena", "with-validators"] as const)(
    "of an exact version makes one request: %s",
    async (downloads) => {
      const { stream, events } = await repeated(version, 0, downloads);
      expect(api.counters.requests).toBe(1);
      expect(stream.origin).toBe("cache");
      expect(events.types()).toEqual(["revalidated"]);
    },
  );

  test.each(["^6.0.0", "latest"])("of %s makes two requests", async (wanted) => {
    await repeated(wanted, 0);
    expect(api.counters.requests).toBe(2);
  });

  test.each([
    [version, 1],
    ["^6.0.0", 2],
  ])("of %s transfers nothing, whether or not the upstream has validators", async (wanted, requests) => {
    await repeated(wanted, 0, "with-validators");
    expect(api.counters).toMatchObject({ requests, transfers: 0, notModified: 1 });
    await repeated(wanted, 0, "as-balena");
    expect(api.counters).toMatchObject({ requests, transfers: 0, bytesSent: 0 });
  });

  test.each([
    ["as-balena", undefined],
    ["with-validators", new Date("2026-03-04T05:06:07Z")],
  ] as const)("says what it carries: %s", async (downloads, lastModified) => {
    const { stream } = await repeated(version, 2000, downloads);
    const { size, etag } = stream;
    expect({ size, lastModified: stream.lastModified }).toEqual({ size: image.size, lastModified });
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    expect(await stream.committed()).toMatchObject({ etag });
  });

  test("survives the manager: the next one finds it in the store", async () => {
    const storage = memoryAdapter();
    const options = { storage, freshness: { maxAgeMs: 60_000 } };
    await collect(await createTestManager(api, options).manager.get(slug, version));
    api.counters.reset();
    const { manager } = createTestManager(api, options);
    expect((await collect(await manager.get(slug, version))).sha256).toBe(await image.sha256);
    expect(api.counters.transfers).toBe(0);
  });
});

describe("images of unusual sizes", () => {
  test.each([
    ["of one byte", 1],
    ["one byte short of a chunk", chunkBytes - 1],
    ["of exactly one chunk", chunkBytes],
    ["of exactly three chunks", 3 * chunkBytes],
    ["one byte longer than three chunks", 3 * chunkBytes + 1],
  ])("%s", async (_, size) => {
    const content = noise(size);
    const upstream = scriptedUpstream({ respond: () => fileResponse(gzip(content), { etag: '"a"' }) });
    const options = { ...upstream, freshness: { maxAgeMs: Number.POSITIVE_INFINITY } };
    const { manager } = createTestManager(api, options);
    const first = await manager.get(slug, scriptedVersion.version);
    expect(sha256(await bytesOf(first))).toBe(sha256(content));
    expect(await first.committed()).toMatchObject({ size });
    const second = await manager.get(slug, scriptedVersion.version);
    expect(second).toMatchObject({ origin: "cache", size });
    expect(await bytesOf(second)).toEqual(content);
    expect(upstream.downloads).toHaveLength(1);
  });
});

describe("holes", () => {
  const withHoles = (zeros: number) => {
    const content = noise(4 * chunkBytes + 10);
    content.fill(0, chunkBytes, chunkBytes + zeros);
    return content;
  };

  test.each([
    ["whole chunks of zeros are not stored", 2 * chunkBytes, 3],
    ["a chunk with one byte that is no zero is", 2 * chunkBytes - 1, 4],
  ])("%s", async (_, zeros, stored) => {
    const content = withHoles(zeros);
    const storage = memoryAdapter();
    const upstream = scriptedUpstream({ respond: () => fileResponse(gzip(content), { etag: '"a"' }) });
    const options = { ...upstream, storage, freshness: { maxAgeMs: 1000 } };
    const { manager } = createTestManager(api, options);
    expect(await bytesOf(await manager.get(slug))).toEqual(content);
    expect(await storage.getKeys("balena-images:v1:chunks:", {})).toHaveLength(stored);
    expect(await bytesOf(await manager.get(slug))).toEqual(content);
  });

  test("a hole's bytes are each reader's own", async () => {
    const upstream = scriptedUpstream({ respond: () => fileResponse(gzip(new Uint8Array(2 * chunkBytes))) });
    const { manager } = createTestManager(api, { ...upstream, freshness: { maxAgeMs: 1000 } });
    for (let round = 0; round < 3; round++) {
      for await (const piece of await manager.get(slug)) {
        expect(piece.every((byte) => byte === 0)).toBe(true);
        piece.fill(0xff);
      }
    }
  });
});
