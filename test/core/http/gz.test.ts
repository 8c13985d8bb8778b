// The image as a .gz file that is put together from its chunks: other people's gunzips are the judges.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32, gunzipSync, gzipSync, inflateRawSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { gzipEncoding, serve, zstdEncoding } from "../../../src/adapters/node/index.ts";
import { gzFileOf } from "../../../src/core/http/gz/gz-file.ts";
import { deflatedZeros } from "../../../src/core/http/gz/zeros.ts";
import { createImageHandler } from "../../../src/core/http/index.ts";
import { type ChunkEncoding, gzipEncoding as webGzipEncoding } from "../../../src/core/index.ts";
import { sha256 } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf, read } from "../../support/stored-values.ts";
import { chunkBytes, type TestManagerOptions } from "../../support/test-manager.ts";
import { recode, toldAndTrue } from "../encodings/support.ts";
import { createTestHandler, problemIn, summaryOf } from "./support.ts";

const api = await sharedApi({ imageBytes: 20 * chunkBytes + 1000 });
const image = api.image(slug, version);
const path = `/images/${slug}/${version}/gz`;
const run = promisify(execFile);
const base = await mkdtemp(join(tmpdir(), "gz-"));
afterAll(() => rm(base, { recursive: true }));

async function filled(encoding: ChunkEncoding | undefined, options: TestManagerOptions = {}) {
  const storage = memoryAdapter();
  const made = createTestHandler(api, { storage, encoding, freshness: { maxAgeMs: 1e9 }, ...options });
  const info = await made.manager.prefetch(slug, version);
  const keys = (await chunkKeysOf(storage, info.id)).filter((key) => key !== undefined);
  const get = async (init?: RequestInit) => {
    const response = await made.send(path, init);
    return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
  };
  return { ...made, storage, info, keys, get };
}

const fields = ["content-type", "content-length", "content-range", "accept-ranges", "cache-control"];

test("it is one gzip member with the image in it, and gunzip and Python take it", async () => {
  const { get, info } = await filled(gzipEncoding());
  const { response, bytes } = await get();
  expect(summaryOf(response, ...fields)).toEqual({
    ...{ status: 200, "content-type": "application/gzip", "content-length": String(bytes.length) },
    ...{ "accept-ranges": "bytes", "cache-control": "no-cache" },
  });
  expect(response.headers.get("content-disposition")).toContain(`"${slug}-${version}.img.gz"`);
  expect(bytes.length).toBeLessThan(1.2 * (await image.gzBytes()));
  const raw = inflateRawSync(bytes.subarray(10)); // one stream to the end of the file: no second member
  expect(sha256(raw)).toBe(await image.sha256);
  expect(new DataView(bytes.buffer, bytes.length - 8).getUint32(0, true)).toBe(crc32(raw));
  expect(sha256(gunzipSync(bytes))).toBe(await image.sha256);
  const web = new Response(bytes).body!.pipeThrough(new DecompressionStream("gzip"));
  expect(sha256(new Uint8Array(await new Response(web).arrayBuffer()))).toBe(await image.sha256);
  const file = join(base, "image.img.gz");
  await writeFile(file, bytes);
  await run("gunzip", ["-t", file]);
  const python = "import gzip,hashlib,sys; print(hashlib.sha256(gzip.open(sys.argv[1]).read()).hexdigest())";
  expect((await run("python3", ["-c", python, file])).stdout.trim()).toBe(await image.sha256);
  expect(response.headers.get("etag")).not.toBe(info.etag);
});

test("curl loads it, goes on in the middle, and gunzip makes the image of it", async () => {
  const { manager } = await filled(gzipEncoding());
  const server = await serve(createImageHandler(manager), { port: 0 });
  try {
    const url = new URL(path, server.url).href;
    const file = join(base, "curl.gz");
    await run("curl", ["-fsS", "-r", "0-99999", "-o", file, url]);
    await run("curl", ["-fsS", "-C", "-", "-o", file, url]);
    expect(sha256(gunzipSync(await readFile(file)))).toBe(await image.sha256);
  } finally {
    await server.close();
  }
});

describe("a range", () => {
  test("is the same bytes as of the whole, wherever it begins and ends", async () => {
    const { get } = await filled(gzipEncoding());
    const { bytes: whole, response } = await get();
    const etag = response.headers.get("etag")!;
    const last = whole.length - 1;
    const places = [0, 1, 9, 10, 11, 5000, 40_000, Math.floor(last / 2), last - 10, last - 9, last - 8, last];
    for (const start of places)
      for (const end of places) {
        if (end < start) continue;
        const range = await get({ headers: { range: `bytes=${start}-${end}`, "if-range": etag } });
        expect(range.response.status).toBe(206);
        expect(range.response.headers.get("content-range")).toBe(`bytes ${start}-${end}/${whole.length}`);
        expect(Buffer.compare(range.bytes, whole.subarray(start, end + 1)), `${start}-${end}`).toBe(0);
      }
    const other = await get({ headers: { range: "bytes=5-9", "if-range": '"other"' } });
    expect(other.response.status).toBe(200);
    const beyond = await get({ headers: { range: `bytes=${whole.length}-` } });
    expect(summaryOf(beyond.response, "content-range")).toMatchObject({
      ...{ status: 416, "content-range": `bytes */${whole.length}` },
    });
  });

  test("reads the chunks that it lies in and no other", async () => {
    const { get, keys, storage } = await filled(gzipEncoding());
    const { bytes } = await get();
    for (const key of keys.slice(3)) await storage.removeItem?.(key, {});
    const { response } = await get({ headers: { range: "bytes=0-20" } });
    expect(response.status).toBe(206);
    expect(bytes.length).toBeGreaterThan(21);
  });
});

test("HEAD and conditions need no chunk", async () => {
  const { send, get, keys, storage } = await filled(gzipEncoding());
  const { response, bytes } = await get();
  const etag = response.headers.get("etag")!;
  for (const key of keys) await storage.removeItem?.(key, {});
  const head = await send(path, { method: "HEAD" });
  expect(summaryOf(head, "content-length", "etag")).toEqual({
    ...{ status: 200, "content-length": String(bytes.length), etag },
  });
  expect(summaryOf(await send(path, { headers: { "if-none-match": etag } }), "etag")).toEqual({
    status: 304,
    etag,
  });
  expect((await send(path, { headers: { "if-match": '"other"' } })).status).toBe(412);
});

describe("it is not offered", () => {
  test.each<[string, ChunkEncoding | undefined]>([
    ["raw chunks", undefined],
    ["gzip of the web platform", webGzipEncoding()],
    ["zstd", zstdEncoding()],
  ])("of %s", async (_, encoding) => {
    const { get } = await filled(encoding);
    expect((await get()).response.status).toBe(404);
  });

  test("of an image that is not cached, or that the upstream packs", async () => {
    const { send } = createTestHandler(api, { encoding: gzipEncoding() });
    expect(await problemIn(await send(path))).toMatchObject({
      status: 404,
      detail: expect.stringContaining("not cached"),
    });
    const { send: of, manager } = await filled(gzipEncoding());
    await manager.prefetch(slug, version, { fileType: ".gz" });
    expect((await of(`${path}?fileType=.gz`)).status).toBe(404);
  });
});

describe("a chunk that lies otherwise by now", () => {
  test("ends the answer before a byte of it, and the manifest is put right", async () => {
    const { get, keys, storage, errors, info } = await filled(gzipEncoding());
    const { response: before, bytes } = await get();
    await recode(storage, keys[2]!, "gzip");
    const response = await get().catch((failure: unknown) => failure);
    expect(response).toBeInstanceOf(Error);
    expect(errors).toMatchObject([{ code: "STORE", message: expect.stringContaining("does not lie") }]);
    await eventually(async () => {
      const told = await toldAndTrue(storage, info.id);
      expect(told.told).toEqual(told.true);
    });
    expect((await get()).response.status).toBe(404); // gzip of another writer has no whole byte at its end
    // Once it can be put together again, it is another file.
    await recode(storage, keys[2]!, "raw");
    const { manager } = createTestHandler(api, {
      storage,
      encoding: gzipEncoding(),
      freshness: { maxAgeMs: 1e9 },
    });
    await manager.prefetch(slug, version, { cache: "reload" });
    const again = await get();
    expect(again.bytes).toEqual(bytes);
    expect(again.response.headers.get("etag")).toBe(before.headers.get("etag"));
  });

  test("that lies as it is now is a part of the next answer", async () => {
    const { get, keys, storage, manager } = await filled(gzipEncoding());
    const { response: before } = await get();
    await recode(storage, keys[2]!, "raw");
    await expect(get()).rejects.toThrow();
    await manager.verify();
    const { response, bytes } = await get();
    expect(sha256(gunzipSync(bytes))).toBe(await image.sha256);
    expect(response.headers.get("etag")).not.toBe(before.headers.get("etag"));
  });

  test("is a status if it is the first", async () => {
    const { send, keys, storage } = await filled(gzipEncoding());
    await recode(storage, keys[0]!, "gzip");
    const start = (await read(storage, keys[0]!)).length;
    expect(start).toBeGreaterThan(10);
    expect((await send(path)).status).toBe(503);
  });
});

test("noise and zeros are parts of it too", async () => {
  const chunks = [
    randomBytes(70_000),
    Buffer.alloc(70_000),
    Buffer.from("text ".repeat(14_000)),
    Buffer.alloc(300),
  ];
  const raw = Buffer.concat(chunks);
  const encoded = await gzipEncoding().encode(new Uint8Array(chunks[2]!));
  const values = [chunks[0]!, Buffer.alloc(0), Buffer.from(encoded), Buffer.alloc(0)];
  const file = await gzFileOf({
    size: raw.length,
    chunkBytes: 70_000,
    chunks: [sha256(chunks[0]!), null, sha256(chunks[2]!), null],
    stored: [
      { bytes: 70_000, crc32: crc32(chunks[0]!) },
      null,
      { bytes: encoded.length, sha256: sha256(encoded), crc32: crc32(chunks[2]!) },
      null,
    ],
    open: (from, to) => {
      const opened = values.slice(from, to);
      return { next: async () => new Uint8Array(opened.shift()!), close: () => undefined };
    },
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of file!.read({ start: 0, end: file!.size })) pieces.push(piece);
  const whole = Buffer.concat(pieces);
  expect(whole.length).toBe(file!.size);
  expect(gunzipSync(whole).equals(raw)).toBe(true);
});

test.each([1, 2, 3, 257, 258, 259, 260, 516, 517, 1000, 65_535, 262_144, 4 * 1024 * 1024, 64 * 1024 * 1024])(
  "%i zeros are as small as zlib makes them, and end at a whole byte",
  (length) => {
    const bytes = deflatedZeros(length);
    expect(Buffer.from(bytes.slice(-4))).toEqual(Buffer.from([0, 0, 0xff, 0xff]));
    const inflated = inflateRawSync(Buffer.concat([bytes, Buffer.from([3, 0])]));
    expect(inflated.length).toBe(length);
    expect(inflated.every((byte) => byte === 0)).toBe(true);
    expect(bytes.length).toBeLessThan(gzipSync(Buffer.alloc(length)).length + 100);
  },
);
