// What the handler says of an image's content: Repr-Digest, the file that sha256sum reads, and the map that bmaptool reads.
import { describe, expect, test } from "vitest";
import { nodeHash } from "../../../src/adapters/node/index.ts";
import { bmapOf } from "../../../src/core/http/bmap.ts";
import { sharedApi } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { createTestHandler, problemIn, summaryOf } from "./support.ts";

const imageBytes = 20 * chunkBytes + 1000;
const api = await sharedApi({ imageBytes });
const [deviceType, version] = ["intel-nuc", "6.4.0+rev1"];
const path = `/images/${deviceType}/6.4.0%2Brev1`;
const sha256 = await api.image(deviceType, version).sha256;
const digest = `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;
const on = { sha256: true, hash: nodeHash, freshness: { maxAgeMs: 1e9 } };

describe("Repr-Digest", () => {
  test("is that of the whole image, for GET, HEAD and ranges, once it is known", async () => {
    const { send, manager } = createTestHandler(api, on);
    expect(summaryOf(await send(path, { method: "HEAD" }), "repr-digest")).toEqual({ status: 200 });
    await manager.prefetch(deviceType, version);
    for (const init of [{}, { method: "HEAD" }, { headers: { range: "bytes=5-9" } }]) {
      const response = await send(path, init);
      expect(response.headers.get("repr-digest")).toBe(digest);
      await response.body?.cancel();
    }
    expect(await (await send("/images")).json()).toMatchObject([{ sha256 }]);
  });

  test("is absent if nobody computed it", async () => {
    const { send, manager } = createTestHandler(api, { freshness: on.freshness });
    await manager.prefetch(deviceType, version);
    expect((await send(path, { method: "HEAD" })).headers.get("repr-digest")).toBeNull();
  });
});

describe("/sha256", () => {
  test("is a line for sha256sum, with the name that the image is saved under", async () => {
    const { send, manager } = createTestHandler(api, on);
    await manager.prefetch(deviceType, version);
    const response = await send(`${path}/sha256`);
    expect(summaryOf(response, "content-type", "cache-control")).toEqual({
      ...{ status: 200, "content-type": "text/plain; charset=utf-8", "cache-control": "no-cache" },
    });
    expect(await response.text()).toBe(`${sha256}  intel-nuc-6.4.0+rev1.img\n`);
    const image = await send(path, { method: "HEAD" });
    expect(image.headers.get("content-disposition")).toContain('"intel-nuc-6.4.0+rev1.img"');
  });

  test("HEAD says its length", async () => {
    const { send, manager } = createTestHandler(api, on);
    await manager.prefetch(deviceType, version);
    const [head, get] = [await send(`${path}/sha256`, { method: "HEAD" }), await send(`${path}/sha256`)];
    expect(await head.text()).toBe("");
    expect(head.headers.get("content-length")).toBe(String((await get.arrayBuffer()).byteLength));
  });

  test("is 404 with the reason if the image is not cached, or its SHA-256 is not known", async () => {
    const { send, manager } = createTestHandler(api, { freshness: on.freshness });
    expect(await problemIn(await send(`${path}/sha256`))).toMatchObject({
      status: 404,
      detail: expect.stringContaining("not cached"),
    });
    await manager.prefetch(deviceType, version);
    const unknown = await send(`${path}/sha256`);
    expect(await problemIn(unknown)).toMatchObject({
      status: 404,
      detail: expect.stringContaining("not known"),
    });
    expect(api.counters.downloads).toBe(1);
  });

  test.each(["sha256", "bmap"])("a range or an alias leads to the exact version's /%s", async (name) => {
    const { send } = createTestHandler(api, on, { basePath: "/os" });
    const from = `/os/images/nuc/latest/${name}?developmentMode=true`;
    const location = new URL((await send(from)).headers.get("location")!, `http://localhost${from}`);
    expect(location.pathname + location.search).toBe(`/os${path}/${name}?developmentMode=true`);
  });

  test.each([`${path}/sha512`, `${path}/sha256/more`, `${path}/`, "/images/intel-nuc/sha256/6.4.0/x"])(
    "%s is 404",
    async (other) => expect((await createTestHandler(api, on).send(other)).status).toBe(404),
  );

  test("authorize guards it", async () => {
    const { send } = createTestHandler(api, on, { authorize: () => false });
    for (const name of ["sha256", "bmap"]) expect((await send(`${path}/${name}`)).status).toBe(401);
  });

  test("other methods are 405", async () => {
    const { send } = createTestHandler(api, on);
    expect((await send(`${path}/bmap`, { method: "POST" })).status).toBe(405);
  });
});

describe("/bmap", () => {
  test("maps the chunks that hold anything, without any option", async () => {
    const { send, manager } = createTestHandler(api, { freshness: on.freshness });
    expect((await send(`${path}/bmap`)).status).toBe(404);
    await manager.prefetch(deviceType, version);
    const response = await send(`${path}/bmap`);
    expect(summaryOf(response, "content-type")).toEqual({ status: 200, "content-type": "application/xml" });
    const xml = await response.text();
    expect(xml).toContain(`<ImageSize> ${imageBytes} </ImageSize>`);
    const image = Buffer.from(api.image(deviceType, version).bytes());
    const ranges = [...xml.matchAll(/<Range chksum="(\w+)"> (\d+)-(\d+) <\/Range>/g)];
    expect(ranges.length).toBeGreaterThan(10);
    const mapped = Buffer.alloc(imageBytes);
    for (const [, checksum, first, last] of ranges) {
      const bytes = image.subarray(Number(first) * 4096, (Number(last) + 1) * 4096);
      expect((await nodeHash(Uint8Array.from(bytes))).sha256).toBe(checksum);
      bytes.copy(mapped, Number(first) * 4096);
    }
    expect(mapped.equals(image)).toBe(true);
  });

  test("counts in blocks that chunks are made of", async () => {
    const digest = "ab".repeat(32);
    const xml = await bmapOf({ size: 2_500_001, chunkBytes: 1_000_000, chunks: [digest, null, digest] });
    expect(xml).toContain("<BlockSize> 64 </BlockSize>");
    expect(xml).toContain("<BlocksCount> 39063 </BlocksCount>");
    expect(xml).toContain("<MappedBlocksCount> 23438 </MappedBlocksCount>");
    expect(xml).toContain(`<Range chksum="${digest}"> 31250-39062 </Range>`);
  });

  test("of one block, and of none", async () => {
    const digest = "cd".repeat(32);
    expect(await bmapOf({ size: 5, chunkBytes: 4096, chunks: [digest] })).toContain("> 0 </Range>");
    expect(await bmapOf({ size: 5, chunkBytes: 4096, chunks: [null] })).toContain(
      "<BlockMap>\n    </BlockMap>",
    );
  });
});
