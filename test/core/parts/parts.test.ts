// Images by their parts: what is asked, what is proven, and what happens when a part breaks, changes, is damaged or refused.
import { afterEach, describe, expect, test } from "vitest";
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageManagerOptions } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { cut, managerOver, noise, serving } from "../../support/own-parts.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager, type TestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ assets: true, imageBytes: 6 * 1024 * 1024 });
const image = () => api.image(slug, version);
const opened: TestManager[] = [];
const manager = (options: Partial<ImageManagerOptions> = {}) => {
  const made = createTestManager(api, options);
  opened.push(made);
  return made;
};
afterEach(() => Promise.all(opened.splice(0).map(({ manager }) => manager.close())));

const paths = () => api.counters.requestLog.map(({ method, url }) => `${method} ${url.split("?")[0]}`);
const partRequests = () => paths().filter((path) => path.includes("/part-"));

describe("a first get", () => {
  test("brings the image by its parts, its size known before the first byte", async () => {
    const { manager: images, events } = manager();
    const stream = await images.get(slug, version);
    expect(stream.size).toBe(image().size);
    expect((await collect(stream)).sha256).toBe(await image().sha256);
    expect(await stream.committed()).toMatchObject({ size: image().size });
    expect(api.counters.downloads).toBe(0);
    expect(api.counters.assetBytes).toBeLessThan((await image().gzBytes()) + 2_000);
    expect(events.types()).toEqual(["miss", "committed"]);
  });

  test("sends no token to the addresses of the parts", async () => {
    const { manager: images } = createTestManager(api, { token: api.token });
    await collect(await images.get(slug, version));
    const toFiles = api.counters.requestLog.filter(({ listener }) => listener === "files");
    expect(toFiles.length).toBeGreaterThan(3);
    for (const { headers } of toFiles) expect(headers.authorization).toBeUndefined();
    await images.close();
  });

  test("asks for each part once, in the image's order", async () => {
    await collect(await manager().manager.get(slug, version));
    const asked = partRequests().map((path) => Number(/part-(\d+)/.exec(path)?.[1]));
    expect(asked).toEqual(asked.toSorted((a, b) => a - b));
    expect(new Set(asked).size).toBe(asked.length);
  });

  test("a range from the middle is right, and the image is stored whole", async () => {
    const range = { start: 3_000_000, end: 3_400_000 };
    const { manager: images } = manager();
    const stream = await images.get(slug, version, { range });
    const { sha256 } = await collect(stream);
    const { createHash } = await import("node:crypto");
    expect(sha256).toBe(createHash("sha256").update(image().bytes(range.start, range.end)).digest("hex"));
  });

  test("a release without parts, and an image that only the image maker makes, come by /download", async () => {
    const { manager: images } = manager();
    await collect(await images.get(slug, "2.88.4+rev1"));
    await collect(await images.get(slug, version, { developmentMode: true }));
    await collect(await images.get(slug, version, { fileType: ".zip" }));
    expect(api.counters.downloads).toBe(3);
    expect(partRequests()).toEqual([]);
  });
});

describe("a repeated get", () => {
  test("asks for the list of parts, and for no byte of the image", async () => {
    const { manager: images, events } = manager();
    await collect(await images.get(slug, version));
    api.counters.reset();
    events.clear();
    const stream = await images.get(slug, version);
    expect((await collect(stream)).sha256).toBe(await image().sha256);
    expect(stream.origin).toBe("cache");
    expect(events.types()).toEqual(["revalidated"]);
    expect(paths()).toHaveLength(2);
    expect(partRequests()).toEqual([]);
  });

  test("keeps a copy that came by /download, which is the same gzip file, and knows it by its parts from then on", async () => {
    const storage = memoryAdapter();
    const refused = manager({ storage, fetch: refusing(/part-/, Number.POSITIVE_INFINITY, 403) });
    await collect(await refused.manager.get(slug, version));
    expect(api.counters.downloads).toBe(1);
    api.counters.reset();
    const { manager: images } = manager({ storage });
    for (let round = 0; round < 2; round++) {
      const stream = await images.get(slug, version);
      await collect(stream);
      expect(stream.origin).toBe("cache");
    }
    expect(partRequests()).toEqual([]);
    expect(api.counters.downloads).toBe(0);
  });

  test("of a release without parts asks for the file alone", async () => {
    const { manager: images } = manager();
    await collect(await images.get(slug, "2.88.4+rev1"));
    api.counters.reset();
    const stream = await images.get(slug, "2.88.4+rev1");
    await collect(stream);
    expect(stream.origin).toBe("cache");
    expect(paths()).toEqual(["HEAD /download"]);
  });

  test("of a release without parts, whose file is gone since, finds its parts", async () => {
    const { manager: images } = manager();
    const release = api.releases.findIndex((entry) => entry.deviceType === slug && entry.version === version);
    const [before] = api.releases.splice(release, 1, { deviceType: slug, version, assets: false });
    await collect(await images.get(slug, version));
    api.releases.splice(release, 1, before!);
    api.faults.refuse = { status: 404 };
    const stream = await images.get(slug, version);
    await collect(stream);
    expect(stream.origin).toBe("cache");
    expect(partRequests()).toEqual([]);
  });
});

describe("a part that breaks", () => {
  test.each([1, 3])(
    "%i times goes on by a range that must match, and the inflater where it stood",
    async (times) => {
      const { manager: images, events } = manager({ fetch: breaking(/part-4/, 20_000, times) });
      const stream = await images.get(slug, version);
      expect((await collect(stream)).sha256).toBe(await image().sha256);
      const ranged = api.counters.requestLog.filter(({ headers }) => headers.range !== undefined);
      expect(ranged).toHaveLength(times);
      for (const { headers } of ranged) expect(headers["if-match"]).toMatch(/^"/);
      expect(events.of("resumed")).toHaveLength(times);
      expect(api.counters.assetBytes).toBeLessThan(
        (await image().gzBytes()) * 1.02 + times * 8 * 1024 * 1024,
      );
      expect(await stream.committed()).toBeDefined();
    },
  );

  test("comes again, compared, if no ranges are handed out", async () => {
    api.faults.assets.ranges = "off";
    api.faults.assets.lose = { atPercent: 60, times: 2 };
    const { manager: images } = manager();
    expect((await collect(await images.get(slug, version))).sha256).toBe(await image().sha256);
  });

  test("and ends short cleanly is read on", async () => {
    api.faults.assets.endShort = { atPercent: 50, how: "chunked", times: 1 };
    const { manager: images } = manager();
    expect((await collect(await images.get(slug, version))).sha256).toBe(await image().sha256);
  });

  test("whose address has expired is asked for at a new one", async () => {
    const { manager: images } = manager({ fetch: refusing(/part-2/, 1, 403) });
    expect((await collect(await images.get(slug, version))).sha256).toBe(await image().sha256);
  });
});

describe("addresses that are refused", () => {
  test("again: the image comes by /download", async () => {
    const { manager: images } = manager({ fetch: refusing(/part-/, Number.POSITIVE_INFINITY, 403) });
    expect((await collect(await images.get(slug, version))).sha256).toBe(await image().sha256);
    expect(api.counters.downloads).toBe(1);
  });

  test("mid-way: the rest comes by /download, what was delivered is compared", async () => {
    const { manager: images, events } = manager({ fetch: refusing(/part-4/, Number.POSITIVE_INFINITY, 404) });
    const stream = await images.get(slug, version);
    expect((await collect(stream)).sha256).toBe(await image().sha256);
    expect(api.counters.downloads).toBe(1);
    expect(await stream.committed()).toBeDefined();
    expect(events.of("resumed")).toMatchObject([{ fromByte: 0 }]);
  });

  test("once, and that of the list, too: a new address does", async () => {
    const { manager: images } = manager({ source: sourceOver(refusing(/image\.json/, 1, 403)) });
    expect((await collect(await images.get(slug, version))).sha256).toBe(await image().sha256);
    expect(paths().filter((path) => path === "GET /v7/release")).toHaveLength(2);
    expect(api.counters.downloads).toBe(0);
  });

  test("again, and that of the list, too: the image comes by /download", async () => {
    const source = sourceOver(refusing(/image\.json/, Number.POSITIVE_INFINITY, 403));
    const { manager: images } = manager({ source });
    expect((await collect(await images.get(slug, version))).sha256).toBe(await image().sha256);
    expect(api.counters.downloads).toBe(1);
  });

  test("if there is a copy of an older image, it is served instead", async () => {
    const { parts, files } = cut(noise(700_000));
    const list = { parts };
    const { manager: images, events } = managerOver(list, serving(files).fetch);
    const { sha256 } = await collect(await images.get("board", "1.0.0"));
    list.parts = cut(noise(700_000, 2)).parts.map((part) => ({ ...part, url: "http://parts.example/gone" }));
    const stream = await images.get("board", "1.0.0");
    expect(stream.origin).toBe("stale");
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(events.of("stale-served")).toHaveLength(1);
    await images.close();
  });

  test("if there is a copy, and the list itself is refused, it is served as well", async () => {
    const storage = memoryAdapter();
    await manager({ storage }).manager.prefetch(slug, version);
    api.counters.reset();
    const source = sourceOver(refusing(/image\.json/, Number.POSITIVE_INFINITY, 403));
    const stream = await manager({ storage, source }).manager.get(slug, version);
    expect(stream.origin).toBe("stale");
    expect((await collect(stream)).sha256).toBe(await image().sha256);
    expect(api.counters.downloads).toBe(0);
  });

  test("mid-way, and /download as well, is an error, and the parts that came are there for the next get", async () => {
    const storage = memoryAdapter();
    const refuse = refusing(/part-4|download/, Number.POSITIVE_INFINITY, 404);
    const first = manager({ storage, fetch: refuse });
    const error = await rejection(first.manager.get(slug, version).then(collect));
    expect(error).toMatchObject({ code: "UPSTREAM", unavailable: true });
    api.counters.reset();
    const second = manager({ storage });
    expect((await collect(await second.manager.get(slug, version))).sha256).toBe(await image().sha256);
    expect(api.counters.assetBytes).toBeLessThan(await image().gzBytes());
    expect(second.events.of("resumed")[0]?.fromByte).toBeGreaterThan(0);
  });
});

describe("a part whose bytes are not those that were summed", () => {
  test("once, with a bit flipped on the way, is fetched again, and readers without a wrong byte go on", async () => {
    const { manager: images, events } = manager({ fetch: flipping(/part-2/, 1) });
    const outcome = await images
      .get(slug, version)
      .then(collect)
      .catch((error: unknown) => error);
    // A reader may have been given a chunk of the wrong part: then it ends with IMAGE_CHANGED, and never with wrong bytes.
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: "IMAGE_CHANGED" });
    else expect(outcome).toMatchObject({ sha256: await image().sha256 });
    expect(events.of("resumed").length).toBeGreaterThan(0);
  });

  test("once, while it is prefetched, is stored right", async () => {
    const { manager: images } = manager({ fetch: flipping(/part-2/, 1) });
    await images.prefetch(slug, version);
    api.counters.reset();
    const stream = await images.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(stream)).sha256).toBe(await image().sha256);
  });

  test("each time is INTEGRITY, and nothing is stored", async () => {
    const { manager: images } = manager({ fetch: flipping(/part-2/, Number.POSITIVE_INFINITY) });
    const error = await rejection(images.prefetch(slug, version));
    expect(error).toMatchObject({ code: "INTEGRITY" });
    expect(await images.inspect(slug, version)).toBeUndefined();
  });
});

const sourceOver = (fetch: typeof globalThis.fetch) => balenaApiSource({ apiUrl: api.url, fetch });

/** A `fetch` that refuses some addresses, so many times. */
function refusing(address: RegExp, times: number, status: number): typeof fetch {
  let left = times;
  return async (input, init) => {
    if (address.test(String(input)) && left-- > 0) return new Response("<Error/>", { status });
    return fetch(input, init);
  };
}

/** A `fetch` whose bodies of some addresses break after so many bytes. */
function breaking(address: RegExp, afterBytes: number, times: number): typeof fetch {
  let left = times;
  return async (input, init) => {
    const response = await fetch(input, init);
    if (!address.test(String(input)) || left-- <= 0 || response.body === null) return response;
    let bytes = 0;
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        controller.enqueue(piece.subarray(0, afterBytes - bytes));
        bytes += piece.length;
        if (bytes >= afterBytes) controller.error(new TypeError("terminated"));
      },
    });
    return new Response(response.body.pipeThrough(cut), response);
  };
}

/** A `fetch` on whose way a bit of some bodies flips. */
function flipping(address: RegExp, times: number): typeof fetch {
  let left = times;
  return async (input, init) => {
    const response = await fetch(input, init);
    if (!address.test(String(input)) || left-- <= 0 || response.body === null) return response;
    let isFlipped = false;
    const flip = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        const copy = piece.slice();
        const middle = copy.length >> 1;
        if (!isFlipped) copy[middle] = copy[middle]! ^ 0x10;
        isFlipped = true;
        controller.enqueue(copy);
      },
    });
    return new Response(response.body.pipeThrough(flip), response);
  };
}
