// The `.gz` file that was asked for by name, put together from parts: the same bytes as /download's, proven part by part.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageSource } from "../../../src/core/index.ts";
import type { Judgement } from "../../support/balena-api/balena-judge.ts";
import { bytesOf, collect, rejection, sha256 } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { cut, managerOver, noise, partsSource, serving } from "../../support/own-parts.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf, damage } from "../../support/stored-values.ts";
import {
  chunkBytes,
  createTestManager,
  type TestManager,
  type TestManagerOptions,
} from "../../support/test-manager.ts";

const api = await sharedApi({ assets: true, imageBytes: 6 * 1024 * 1024 });
const gz = { fileType: ".gz" } as const;
const opened: TestManager[] = [];
afterEach(() => Promise.all(opened.splice(0).map(({ manager }) => manager.close())));
const open = (options: TestManagerOptions = {}) => {
  const made = createTestManager(api, { source: balenaApiSource({ apiUrl: api.url }), ...options });
  opened.push(made);
  return made;
};

const kept = <T extends TestManager>(made: T) => {
  opened.push(made);
  return made;
};

async function byDownload(): Promise<Buffer> {
  const url = `${api.url}/download?deviceType=${slug}&version=${version}&fileType=.gz`;
  const response = await fetch(url, { headers: { "accept-encoding": "identity" } });
  return Buffer.from(await response.arrayBuffer());
}

const paths = () => api.counters.requestLog.map(({ method, url }) => `${method} ${url.split("?")[0]}`);

describe("a .gz made of parts", () => {
  test("has the bytes of /download's, and its size is known before the first one", async () => {
    const whole = await byDownload();
    api.counters.reset();
    const stream = await open().manager.get(slug, version, gz);
    expect(stream.size).toBe(whole.length);
    const bytes = await bytesOf(stream);
    expect(whole.equals(bytes)).toBe(true);
    expect(sha256(gunzipSync(bytes))).toBe(await api.image(slug, version).sha256);
    expect(api.counters.downloads).toBe(0);
    expect(await stream.committed()).toMatchObject({ size: whole.length, variant: gz });
  });

  test("is what balena's own packer makes of the raw image", async () => {
    const directory = await mkdtemp(join(tmpdir(), "gz-"));
    const file = join(directory, "image.img");
    await writeFile(file, await api.image(slug, version).content());
    const script = fileURLToPath(new URL("../../support/balena-api/balena-judge.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, file]);
    await rm(directory, { recursive: true });
    const { gzSha256 } = JSON.parse(stdout) as Judgement;
    expect(sha256(await bytesOf(await open().manager.get(slug, version, gz)))).toBe(gzSha256);
  });

  test("is confirmed by two small requests, also one that came by /download", async () => {
    const storage = memoryAdapter();
    const whole: ImageSource = balenaApiSource({ apiUrl: api.url });
    const byFile = {
      ...whole,
      request: (image: Parameters<ImageSource["request"]>[0]) => whole.request({ ...image, isWhole: true }),
    };
    await kept(createTestManager(api, { storage, source: byFile })).manager.prefetch(slug, version, gz);
    expect(api.counters.downloads).toBe(1);
    // Only a source that has no parts says so.
    const { manager } = open({ storage });
    api.faults.refuse = { status: 404 };
    for (const _ of [1, 2]) {
      api.counters.reset();
      const stream = await manager.get(slug, version, gz);
      expect(stream.origin).toBe("cache");
      await collect(stream);
    }
    expect(paths().filter((path) => !path.includes("download"))).toHaveLength(2);
    expect(paths().some((path) => path.includes("/part-"))).toBe(false);
  });

  test("goes on by a range after a break", async () => {
    api.faults.assets.lose = { atPercent: 60, skip: 3, times: 1 };
    const { manager, events } = open();
    expect(sha256(await bytesOf(await manager.get(slug, version, gz)))).toBe(sha256(await byDownload()));
    expect(events.of("resumed")).toHaveLength(1);
    expect(api.counters.assetBytes).toBeLessThan((await api.image(slug, version).gzBytes()) + 4_000);
  });

  test("has its damaged chunks healed by ranges of the parts", async () => {
    const storage = memoryAdapter();
    const { manager, events } = open({ storage, freshness: { maxAgeMs: 60_000 } });
    const { id } = await manager.prefetch(slug, version, gz);
    const keys = (await chunkKeysOf(storage, id)) as string[];
    for (const index of [0, 2, keys.length - 1]) await damage(storage, keys[index]!, "flip");
    api.counters.reset();
    expect(sha256(await bytesOf(await manager.get(slug, version, gz)))).toBe(sha256(await byDownload()));
    expect(events.of("healed")).toHaveLength(3);
    expect(api.counters.assetBytes).toBeLessThan(3 * chunkBytes + 2_000);
  });
});

describe("of parts of one's own", () => {
  const content = noise(12 * chunkBytes);
  const list = cut(content, 4 * chunkBytes);
  const over = (fetchParts: typeof fetch, options: TestManagerOptions = {}) =>
    kept(managerOver(list, fetchParts, options));

  function flipping(times: number) {
    const served = serving(list.files);
    let left = times;
    const fetchParts: typeof fetch = async (input, init) => {
      const response = await served.fetch(input, init);
      if (!String(input).endsWith("/part-1") || left-- <= 0) return response;
      const bytes = new Uint8Array(await response.arrayBuffer());
      bytes[chunkBytes]! ^= 0x10;
      return new Response(bytes, response);
    };
    return { ...served, fetch: fetchParts };
  }

  test("a flipped bit is caught by the part's checksum, and the part is fetched again", async () => {
    const { fetch, asked } = flipping(1);
    const { manager } = over(fetch);
    await manager.prefetch("board", "1.0.0", gz);
    expect(asked.map(({ path }) => path).sort()).toEqual(["/part-0", "/part-1", "/part-1", "/part-2"]);
    const stream = await manager.get("board", "1.0.0", { ...gz, cache: "only-if-cached" });
    expect(sha256(gunzipSync(await bytesOf(stream)))).toBe(sha256(content));
  });

  test("twice it is INTEGRITY, and nothing is stored", async () => {
    const { manager } = over(flipping(2).fetch);
    const failure = await rejection(manager.prefetch("board", "1.0.0", gz));
    expect(failure).toMatchObject({ code: "INTEGRITY" });
    expect(await manager.inspect("board", "1.0.0", gz)).toBeUndefined();
  });

  test.each([0.1, 0.4, 0.7, 0.95])("what a transfer left after %f of it is taken up", async (share) => {
    const storage = memoryAdapter();
    const total = [...list.files.values()].reduce((sum, { length }) => sum + length, 0);
    const stopped = Promise.withResolvers<void>();
    const served = serving(list.files);
    let bytes = 0;
    const first = over(
      async (input, init) => {
        const response = await served.fetch(input, init);
        const gate = new TransformStream<Uint8Array, Uint8Array>({
          async transform(piece, controller) {
            const left = Math.max(0, Math.floor(total * share) - bytes);
            bytes += piece.length;
            if (left > 0) controller.enqueue(piece.subarray(0, left));
            if (left >= piece.length) return;
            stopped.resolve();
            await new Promise(() => undefined);
          },
        });
        return new Response(response.body!.pipeThrough(gate), response);
      },
      { storage },
    );
    const reading = first.manager.get("board", "1.0.0", gz).then(collect);
    reading.catch(() => undefined);
    await stopped.promise;
    await first.manager.close();
    const again = serving(list.files);
    let sent = 0;
    const counting: typeof fetch = async (input, init) => {
      const response = await again.fetch(input, init);
      sent += Number(response.headers.get("content-length"));
      return response;
    };
    const stream = await over(counting, { storage }).manager.get("board", "1.0.0", gz);
    expect(sha256(gunzipSync(await bytesOf(stream)))).toBe(sha256(content));
    // Of parts that are as small as these nothing is kept but their chunks: the one that was under way comes again.
    expect(sent).toBeLessThan(total * (1 - share) + 4 * chunkBytes + 2_000);
    await eventually(async () => expect(await storage.getKeys("balena-images:v1:partials:", {})).toEqual([]));
  });

  test("addresses that are refused before the first byte are known before it, and /download is tried", async () => {
    const served = serving(new Map([["/whole", new Uint8Array(9)]]));
    const source = partsSource(list);
    const made = kept(
      createTestManager(
        { url: source.id },
        {
          fetch: served.fetch,
          source: {
            ...source,
            request: async (image) =>
              image.isWhole ? { url: "http://parts.example/missing", gzip: false } : source.request(image),
          },
        },
      ),
    );
    expect(await rejection(made.manager.get("board", "1.0.0", gz))).toMatchObject({
      code: "UPSTREAM",
      unavailable: true,
    });
    expect(served.asked.map(({ path }) => path).at(-1)).toBe("/missing");
  });

  test("parts that are not deflated make no .gz: the source is asked for the file", async () => {
    const plain = cut(content, 4 * chunkBytes, "identity");
    const source = partsSource(plain);
    const asked: unknown[] = [];
    const request: ImageSource["request"] = async (image) => {
      asked.push(image.isWhole);
      return source.request(image);
    };
    const made = kept(createTestManager({ url: source.id }, { source: { ...source, request } }));
    expect(await rejection(made.manager.get("board", "1.0.0", gz))).toMatchObject({ code: "UPSTREAM" });
    expect(asked).toEqual([undefined, true]);
  });

  test.each([".zip", ".img"] as const)(
    "parts make no %s: UPSTREAM, and nothing is retried",
    async (fileType) => {
      const { fetch, asked } = serving(list.files);
      const failure = await rejection(over(fetch).manager.get("board", "1.0.0", { fileType }));
      expect(failure).toMatchObject({ code: "UPSTREAM", unavailable: false });
      expect(asked).toEqual([]);
    },
  );
});
