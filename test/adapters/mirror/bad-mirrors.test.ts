/** Mirrors that refuse, fail, lie, or are none: a typed error that says what is wrong, and never a wrong byte. */
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { mirrorSource } from "../../../src/adapters/mirror/index.ts";
import type { ImageHandlerOptions } from "../../../src/core/http/index.ts";
import { chunkBytes, chunkedUpstream, contentOf } from "../../core/chunks/support.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { slug } from "../../support/shared-api.ts";
import { createTestManager, quickRetry } from "../../support/test-manager.ts";
import { startMirror, startSite } from "./support.ts";

const content = contentOf(6);
const token = "secret-token-1234";
const isBearer = ({ headers }: Request) => headers.get("authorization") === `Bearer ${token}`;

const mirrored = (handlerOptions: ImageHandlerOptions = {}) =>
  startMirror(chunkedUpstream(content).source, {}, handlerOptions);

describe("a mirror that asks for a token", () => {
  test("gets it with every request", async () => {
    const site = startSite(await mirrored({ authorize: isBearer }), { token });
    expect(Buffer.compare(await bytesOf(await site.manager.get(slug, "1.0.0")), content)).toBe(0);
    expect(site.line.every(({ status }) => status === 200)).toBe(true);
  });

  test.each([undefined, "another-token"])("refuses %s, and the cache does not stand in", async (wrong) => {
    let isOpen = true;
    const mirror = await mirrored({ authorize: (request) => isOpen || isBearer(request) });
    const site = startSite(mirror, wrong === undefined ? {} : { token: wrong });
    await site.manager.prefetch(slug, "1.0.0");
    isOpen = false;
    const failure = await rejection(site.manager.get(slug, "1.0.0"));
    expect(failure).toMatchObject({ code: "UNAUTHORIZED", status: 401 });
    expect(JSON.stringify(failure) + String(failure)).not.toContain("another-token");
  });
});

test("a handler without the option is no mirror, and the error says which option that is", async () => {
  const site = startSite(await mirrored({ mirror: false }));
  expect(await rejection(site.manager.get(slug, "1.0.0"))).toMatchObject({
    code: "UPSTREAM",
    unavailable: false,
    message: expect.stringContaining("mirror: true"),
  });
});

test("a mirror of another source is named", async () => {
  const site = startSite({ ...(await mirrored()), sourceId: "https://api.balena-cloud.com" });
  expect(await rejection(site.manager.get(slug, "1.0.0"))).toMatchObject({
    code: "UPSTREAM",
    unavailable: false,
    message: expect.stringContaining('"https://api.example.com"'),
  });
});

test.each([
  ["no such device type", "DEVICE_TYPE_NOT_FOUND", "unknown-type", "1.0.0"],
  ["no such version", "VERSION_NOT_FOUND", slug, "9.9.9"],
])("%s is %s", async (_, code, deviceType, wanted) => {
  const { source } = chunkedUpstream(content);
  const mirror = await startMirror({
    ...source,
    async resolveDeviceType(name) {
      if (name === slug) return name;
      const { DeviceTypeNotFoundError } = await import("../../../src/core/index.ts");
      throw new DeviceTypeNotFoundError(name);
    },
  });
  const site = startSite(mirror);
  expect(await rejection(site.manager.get(deviceType, wanted))).toMatchObject({ code });
});

/** A site whose mirror answers as the real one, but for what `change` makes of an answer. */
async function changed(change: (path: string, answer: Response) => Response | Promise<Response>) {
  const { handler, sourceId } = await mirrored();
  const asked: string[] = [];
  const source = mirrorSource({
    url: "http://mirror.example",
    sourceId,
    fetch: async (input, init) => {
      const path = String(input).replace(/^.*\/mirror\/v1/, "");
      asked.push(path);
      return change(path, await handler(new Request(String(input), init)));
    },
  });
  const made = createTestManager({ url: "" }, { source, retry: { ...quickRetry, attempts: 2 } });
  onTestFinished(() => made.manager.close());
  return { ...made, asked, get: async () => bytesOf(await made.manager.get(slug, "1.0.0")) };
}

const isImage = (path: string) => path.startsWith("/images") && !path.includes("/chunks/");
const isChunk = (path: string) => path.includes("/chunks/");

/** Changes what the mirror says of an image. */
const saying = (facts: object) => async (path: string, answer: Response) => {
  if (!isImage(path)) return answer;
  const bytes = await answer.bytes();
  const isPacked = answer.headers.get("content-type") === "application/gzip";
  const { gunzipSync } = await import("node:zlib");
  const said = JSON.parse(String(isPacked ? gunzipSync(bytes) : Buffer.from(bytes)));
  return Response.json({ ...said, ...facts });
};

describe("a mirror that lies about an image", () => {
  test.each<[string, object]>([
    ["another source", { source: "https://evil.example" }],
    ["another device type", { deviceType: "intel-nuc" }],
    ["another version", { version: "1.0.1" }],
    ["a size that the chunks do not make", { size: 5 }],
    ["no digests", { digests: undefined }],
    ["a million chunks and one", { size: 1_000_001 * chunkBytes, digests: Array(1_000_001).fill(null) }],
    ["digests that are paths", { digests: Array(6).fill("../../etc/passwd") }],
    ["huge chunks", { chunkBytes: 2 ** 40, digests: [null] }],
    ["a header that splits", { validators: { etag: '"a"\r\nx: y' } }],
  ])("says %s", async (_, facts) => {
    const { get, asked, manager } = await changed(saying(facts));
    expect(await rejection(get())).toMatchObject({ code: "UPSTREAM", unavailable: false });
    expect(asked.filter(isChunk)).toEqual([]);
    expect(await manager.inspect(slug, "1.0.0")).toBeUndefined();
  });

  test("a size that its own chunks contradict is never committed", async () => {
    const { get, manager } = await changed(saying({ size: content.length - 1 }));
    expect(await rejection(get())).toMatchObject({ code: "INTEGRITY" });
    expect(await manager.inspect(slug, "1.0.0")).toBeUndefined();
  });
});

describe("a mirror that sends wrong chunks", () => {
  const sending = (body: (bytes: Uint8Array) => BodyInit, type = "application/octet-stream") =>
    changed(async (path, answer) => {
      if (!isChunk(path)) return answer;
      return new Response(body(await answer.bytes()), { headers: { "content-type": type } });
    });
  const bomb = gzipSync(new Uint8Array(64 * 2 ** 20));

  test.each<[string, string, () => ReturnType<typeof sending>]>([
    ["other bytes", "INTEGRITY", () => sending(() => new Uint8Array(chunkBytes).fill(3))],
    ["nothing", "INTEGRITY", () => sending(() => new Uint8Array(0))],
    ["a page", "INTEGRITY", () => sending(() => "<html>sign in</html>", "text/html")],
    ["more than a chunk", "UPSTREAM", () => sending(() => new Uint8Array(2 * chunkBytes))],
    ["64 MiB, packed", "UPSTREAM", () => sending(() => bomb, "application/gzip")],
    ["what is no gzip", "UPSTREAM", () => sending(() => "no gzip", "application/gzip")],
    ["a torn gzip", "UPSTREAM", () => sending(() => bomb.subarray(0, 5_000), "application/gzip")],
  ])("%s: %s", async (_, code, start) => {
    const { get, manager } = await start();
    expect(await rejection(get())).toMatchObject({ code });
    expect(await manager.inspect(slug, "1.0.0")).toBeUndefined();
  });
});

test.each([500, 502, 503, 429])(
  "answers of %s are tried again, and chunks that have come stay",
  async (status) => {
    let failures = 3;
    const { get, asked } = await changed((path, answer) => {
      if (!isChunk(path) || failures === 0) return answer;
      failures -= 1;
      return new Response("in trouble", { status });
    });
    expect(Buffer.compare(await get(), content)).toBe(0);
    expect(asked.filter(isChunk).length).toBeLessThanOrEqual(5 + 3 * 4);
  },
);

test.each([
  [302, "UPSTREAM"],
  [403, "UNAUTHORIZED"],
])("an answer of %s is %s", async (status, code) => {
  const { get } = await changed(
    () => new Response(null, { status, headers: { location: "https://evil.example" } }),
  );
  expect(await rejection(get())).toMatchObject({ code });
});

test("a page in place of the mirror is told as one", async () => {
  const { get } = await changed(() => new Response("<html>", { headers: { "content-type": "text/html" } }));
  expect(await rejection(get())).toMatchObject({
    code: "UPSTREAM",
    message: expect.stringContaining("not a mirror"),
  });
});

test("a mirror that still downloads the image is asked until it has it", async () => {
  let busy = 3;
  const { get, asked } = await changed((path, answer) => {
    if (!isImage(path) || busy === 0) return answer;
    busy -= 1;
    return Response.json({ status: "downloading" }, { status: 202, headers: { "retry-after": "0" } });
  });
  expect(Buffer.compare(await get(), content)).toBe(0);
  expect(asked.filter(isImage)).toHaveLength(4);
});

test("a chunk that the mirror no longer has means that its image has changed", async () => {
  const { get } = await changed((path, answer) =>
    isChunk(path) ? Response.json({ title: "Not Found" }, { status: 404 }) : answer,
  );
  expect(await rejection(get())).toMatchObject({ code: "IMAGE_CHANGED" });
});

test.each<[string, object | null]>([
  ["nothing", null],
  ["no URL", { url: "images" }],
  ["another protocol", { url: "ftp://a.example" }],
  ["credentials in the URL", { url: "https://me:secret@a.example" }],
  ["a query", { url: "https://a.example/?a=secret" }],
  ["a token with a line end", { url: "https://a.example", token: "secret\n" }],
  ["a number as the source", { url: "https://a.example", sourceId: 5 }],
  ["no function as fetch", { url: "https://a.example", fetch: "secret" }],
])("options with %s are refused, and not quoted", (_, options) => {
  const make = () => mirrorSource(options as never);
  expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  expect(make).not.toThrow(/secret/);
});
