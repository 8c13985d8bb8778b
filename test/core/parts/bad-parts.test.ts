// Lists of parts that make no sense, and parts that are not what their list says: each ends typed and bounded, and nothing is stored.
import { afterEach, describe, expect, test } from "vitest";
import { partsIn, partsPlace } from "../../../src/adapters/balena/parts.ts";
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import type { ImagePart } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { cut, deflated, managerOver, noise, serving } from "../../support/own-parts.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager, type TestManager } from "../../support/test-manager.ts";

const content = noise(700_000);
const opened: TestManager[] = [];
afterEach(() => Promise.all(opened.splice(0).map(({ manager }) => manager.close())));

/** A manager whose source answers with these parts; `fetch` serves the files. */
function over(parts: unknown, files: ReadonlyMap<string, Uint8Array>) {
  const served = serving(files);
  const made = managerOver({ parts }, served.fetch);
  opened.push(made);
  return { ...made, requests: () => served.asked.length };
}

test("parts of a source of one's own make an image", async () => {
  const { parts, files } = cut(content);
  const { manager } = over(parts, files);
  const stream = await manager.get("board", "1.0.0");
  expect(stream.size).toBe(content.length);
  expect((await collect(stream)).bytes).toBe(content.length);
  expect(await stream.committed()).toBeDefined();
});

test("parts that lie as they are make one, too", async () => {
  const { parts } = cut(content);
  const plain = parts.map((part) => ({ ...part, encoding: "identity" as const, wireBytes: part.bytes }));
  const files = new Map(
    plain.map(({ name }, index) => [`/${name}`, content.subarray(index * 100_000, (index + 1) * 100_000)]),
  );
  const { manager } = over(plain, files);
  expect(await manager.prefetch("board", "1.0.0")).toMatchObject({ size: content.length });
});

describe("a list that makes no sense is UPSTREAM, before any part is asked for", () => {
  const [first] = cut(content).parts;
  test.each([
    ["no part", []],
    [
      "a million parts",
      Array.from({ length: 1_000_000 }, (_, index) => ({ ...first, name: `part-${index}` })),
    ],
    ["a name that is a path", [{ ...first, name: "../part" }]],
    ["two parts of one name", [first, first]],
    ["a length below 0", [{ ...first, bytes: -1 }]],
    ["a length that is no number", [{ ...first, bytes: "1" }]],
    ["a sum beyond all images", [{ ...first, bytes: 2 ** 52 }]],
    ["a checksum beyond 32 bits", [{ ...first, crc32: 2 ** 32 }]],
    ["another encoding", [{ ...first, encoding: "br" }]],
    ["no list", "parts"],
  ])("%s", async (_, parts) => {
    const { manager, requests } = over(parts, new Map());
    expect(await rejection(manager.get("board", "1.0.0"))).toMatchObject({ code: "UPSTREAM" });
    expect(requests()).toBe(0);
  });

  test.each(["file:///etc/passwd", "ftp://parts.example/part-0", "http://user:secret@parts.example/part-0"])(
    "an address such as %s",
    async (url) => {
      const { parts, files } = cut(content);
      const { manager } = over([{ ...parts[0], url }, ...parts.slice(1)], files);
      const error = await rejection(manager.get("board", "1.0.0"));
      expect(error).toMatchObject({ code: "UPSTREAM" });
      expect(String(error)).not.toContain("secret");
    },
  );
});

describe("a part that is not what its list says", () => {
  const lying = (change: Partial<ImagePart>) => {
    const { parts, files } = cut(content);
    return over(
      parts.map((part, index) => (index === 3 ? { ...part, ...change } : part)),
      files,
    );
  };

  test.each([
    ["inflates to more than it says", { bytes: 99_999 }],
    ["inflates to less than it says", { bytes: 100_001 }],
    ["has another checksum", { crc32: 1 }],
  ])("and %s is INTEGRITY once it was fetched twice", async (_, change) => {
    const { manager, requests } = lying(change);
    expect(await rejection(manager.prefetch("board", "1.0.0"))).toMatchObject({ code: "INTEGRITY" });
    expect(requests()).toBeLessThan(20);
    expect(await manager.inspect("board", "1.0.0")).toBeUndefined();
  });

  test("and has another length on the wire is UPSTREAM", async () => {
    const { manager } = lying({ wireBytes: 17 });
    const failure = await rejection(manager.prefetch("board", "1.0.0"));
    expect(failure).toMatchObject({ code: "UPSTREAM", unavailable: true });
  });

  test("and inflates without end is stopped where it should end", async () => {
    const { parts, files } = cut(content);
    files.set("/part-3", deflated(new Uint8Array(256 * 1024 * 1024)));
    const bomb = { ...parts[3]!, wireBytes: files.get("/part-3")!.length };
    let inflatedBytes = 0;
    const inflate = () => {
      const { writable, readable } = new DecompressionStream("gzip");
      const counted = readable.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(piece, controller) {
            inflatedBytes += piece.length;
            controller.enqueue(piece);
          },
        }),
      );
      return { writable: writable as WritableStream<Uint8Array>, readable: counted };
    };
    const list = { parts: [...parts.slice(0, 3), bomb, ...parts.slice(4)] };
    const { manager, events } = managerOver(list, serving(files).fetch, { inflate });
    opened.push({ manager } as TestManager);
    expect(await rejection(manager.prefetch("board", "1.0.0"))).toMatchObject({ code: "INTEGRITY" });
    expect(events.of("committed")).toEqual([]);
    expect(inflatedBytes).toBeLessThan(content.length + 4 * 1024 * 1024); // twice what an inflater is ahead
  });

  test("but what its neighbour's list entry says is INTEGRITY", async () => {
    const { parts, files } = cut(content);
    const [second, third] = [parts[2]!, parts[3]!];
    const exchanged = parts
      .with(2, { ...second, crc32: third.crc32 })
      .with(3, { ...third, crc32: second.crc32 });
    const { manager } = over(exchanged, files);
    expect(await rejection(manager.prefetch("board", "1.0.0"))).toMatchObject({ code: "INTEGRITY" });
  });
});

describe("balena's table of contents", () => {
  const place = partsPlace({});
  const entry = { filename: "part-1.deflate", crc: 1, len: 10, zLen: 5, partitionIndex: "(1)" };
  const assets = [{ key: "compressed/part-1.deflate", href: "https://files.example/1", size: 5 }];
  const read = (contents: unknown, files = assets) => partsIn(contents, place, files);
  const table = (...parts: unknown[]) => ({ "resin.img": { parts } });

  test("names each part with its address", () => {
    expect(read(table(entry)).parts).toEqual([
      {
        name: "part-1.deflate",
        url: assets[0]!.href,
        encoding: "deflate-raw",
        wireBytes: 5,
        bytes: 10,
        crc32: 1,
      },
    ]);
  });

  test("is that of the image type", () => {
    expect(partsPlace({ imageType: "flasher" })).toEqual({
      contents: "image-flasher.json",
      folder: "compressed-flasher/",
    });
  });

  test.each<[string, unknown, typeof assets?]>([
    ["null", null],
    ["a list", []],
    ["no image", {}],
    ["two images", { ...table(entry), "other.img": { parts: [] } }],
    ["no parts", table()],
    ["a name with a path", table({ ...entry, filename: "../../part-1.deflate" })],
    ["a name that is none", table({ ...entry, filename: 7 })],
    ["a length that is none", table({ ...entry, len: "10" })],
    ["a checksum below 0", table({ ...entry, crc: -1 })],
    ["a part that the release does not have", table({ ...entry, filename: "part-2.deflate" })],
    ["a length that is not the asset's", table({ ...entry, zLen: 6 })],
    ["a part that comes twice", table(entry, entry)],
    ["a part of no bytes", table({ ...entry, zLen: 0 }), [{ ...assets[0]!, size: 0 }]],
    ["more bytes than any image", table({ ...entry, len: 2 ** 51 })],
    ["a million parts", { "resin.img": { parts: Array.from({ length: 1_000_000 }, () => entry) } }],
    ...[
      "file:///etc/passwd",
      "ftp://files.example/1",
      "http://user:secret@files.example/1",
      "/1",
      "javascript:1",
    ].map((href): [string, unknown, typeof assets] => [
      `an address such as ${href}`,
      table(entry),
      [{ ...assets[0]!, href }],
    ]),
  ])("with %s is UPSTREAM, which a cached copy stands in for", (_, contents, files = assets) => {
    const failure = thrownBy(() => read(contents, files));
    expect(failure).toMatchObject({ code: "UPSTREAM", unavailable: true });
    expect(String(failure)).not.toContain("secret");
  });
});

describe("a release whose list lies", async () => {
  const api = await sharedApi({ assets: true, imageBytes: 2 * 1024 * 1024 });

  /** A source that is answered otherwise where a path is asked for. */
  function answering(path: string, change: (response: Response) => Promise<Response>) {
    const changed: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      return String(input).includes(path) ? change(response) : response;
    };
    const made = createTestManager(api, { source: balenaApiSource({ apiUrl: api.url, fetch: changed }) });
    opened.push(made);
    return made;
  }
  const json = (value: unknown) => new Response(JSON.stringify(value));

  test.each<[string, string, (response: Response) => Promise<Response>]>([
    [
      "names parts that are not there",
      "/image.json",
      async () => json({ "a.img": { parts: [{ filename: "x", crc: 1, len: 1, zLen: 1 }] } }),
    ],
    ["is empty", "/image.json", async () => json({})],
    ["is of another shape", "/image.json", async () => json([1, 2])],
    [
      "lacks an asset",
      "/v7/release",
      async (response) =>
        new Response((await response.text()).replace("compressed/part-2.deflate", "compressed/gone")),
    ],
    [
      "has an address of another scheme",
      "/v7/release",
      async (response) =>
        new Response((await response.text()).replace(/"http:[^"]*part-1[^"]*"/, '"file:///etc/passwd"')),
    ],
  ])("%s: the image comes by /download", async (_, path, change) => {
    const { manager } = answering(path, change);
    const stream = await manager.get(slug, version);
    expect((await collect(stream)).sha256).toBe(await api.image(slug, version).sha256);
    expect(api.counters.downloads).toBe(1);
    expect(await stream.committed()).toBeDefined();
  });

  test("has no end: only the start of it is read, and the image comes by /download", async () => {
    let pulled = 0;
    const { manager } = answering("/image.json", async () => {
      const filler = new Uint8Array(1024 * 1024).fill(0x20);
      return new Response(
        new ReadableStream<Uint8Array>({
          pull(controller) {
            pulled += 1;
            controller.enqueue(filler);
          },
        }),
      );
    });
    const { sha256 } = await collect(await manager.get(slug, version));
    expect(sha256).toBe(await api.image(slug, version).sha256);
    expect(api.counters.downloads).toBe(1);
    expect(pulled).toBeLessThan(200);
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    return run();
  } catch (failure) {
    return failure;
  }
}
