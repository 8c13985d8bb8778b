/** What the handler answers other managers: only with the option, only what may be got here, and packed if the client takes that. */
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageHandler, type ImageHandlerOptions } from "../../../src/core/http/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { bytesOf } from "../../support/collect.ts";
import { keysOf, read } from "../../support/stored-values.ts";
import { createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { chunkedUpstream, contentOf, slug } from "../chunks/support.ts";
import { encodings } from "../encodings/support.ts";
import { createTestHandler, problemIn, summaryOf } from "./support.ts";

const content = contentOf(5);
const base = "/mirror/v1";
const image = `${base}/images/${slug}/1.0.0`;
const packed = { headers: { accept: "application/gzip" } };

function made(options: TestManagerOptions = {}, handlerOptions: ImageHandlerOptions = {}) {
  const upstream = chunkedUpstream(content);
  const test = createTestHandler(
    { url: "" },
    { source: upstream.source, ...options },
    { mirror: true, ...handlerOptions },
  );
  return { ...test, upstream };
}

async function described({ send }: Pick<ReturnType<typeof made>, "send">) {
  return (await (await send(image)).json()) as { digests: (string | null)[]; size: number };
}

test("says whose images it has, device types, versions and what an image consists of", async () => {
  const { send, manager } = made();
  const json = async (path: string) => (await send(base + path)).json();
  const source = "https://api.example.com";
  expect(await json("")).toEqual({ source, scope: null });
  expect(await json(`/device-types/${slug}`)).toEqual({ source, deviceType: slug });
  expect(await json(`/versions/${slug}?includeDrafts=true`)).toMatchObject({
    versions: [{ version: "1.0.0" }],
  });
  const response = await send(image);
  const { etag, mime } = (await manager.inspect(slug, "1.0.0"))!;
  expect(summaryOf(response, "etag", "cache-control", "vary", "content-type")).toEqual({
    status: 200,
    etag: `W/${etag}`,
    "cache-control": "no-cache",
    vary: "accept",
    "content-type": "application/json",
  });
  const facts = await response.json();
  expect(facts).toMatchObject({ source, deviceType: slug, version: "1.0.0", variant: {}, mime });
  expect(facts.digests).toHaveLength(5);
  expect((await send(image, { headers: { "if-none-match": etag! } })).status).toBe(304);
});

test("hands out chunks by their digests, packed only for a client that says that it takes that", async () => {
  const test = made();
  const { digests } = await described(test);
  const plain = await test.send(`${image}/chunks/${digests[1]}`);
  expect(summaryOf(plain, "content-type", "content-encoding", "cache-control")).toEqual({
    status: 200,
    "content-type": "application/octet-stream",
    "cache-control": "public, max-age=31536000, immutable",
  });
  const bytes = await plain.bytes();
  expect(bytes).toEqual(content.slice(bytes.length, 2 * bytes.length));
  const list = await test.send(image, packed);
  expect(list.headers.get("content-type")).toBe("application/gzip");
  expect(JSON.parse(String(gunzipSync(await list.bytes())))).toMatchObject({ digests });
  const head = await test.send(`${image}/chunks/${digests[1]}`, { method: "HEAD" });
  expect(summaryOf(head, "content-length")).toEqual({ status: 200, "content-length": String(bytes.length) });
});

test("a chunk that packs well is packed, one that does not is not", async () => {
  const text = new Uint8Array(2 * 256 * 1024).fill(65);
  text.set(content.subarray(0, 256 * 1024));
  const upstream = chunkedUpstream(text);
  const test = made({ source: upstream.source });
  const { digests } = await described(test);
  const types = digests.map(async (digest) => {
    const { headers } = await test.send(`${image}/chunks/${digest}`, packed);
    return [headers.get("content-type"), Number(headers.get("content-length")) < 10_000];
  });
  expect(await Promise.all(types)).toEqual([
    ["application/octet-stream", false],
    ["application/gzip", true],
  ]);
});

test.each(encodings)(
  "a chunk that lies as %s is handed out so if it can be, and raw if it must",
  async (name, encoding) => {
    const text = new Uint8Array(2 * 256 * 1024).fill(65);
    const test = made({ source: chunkedUpstream(text).source, encoding: encoding() });
    const { digests } = await described(test);
    const ask = async (init?: RequestInit) => test.send(`${image}/chunks/${digests[0]}`, init);
    expect(await (await ask()).bytes()).toEqual(text.slice(0, 256 * 1024));
    const answer = await ask(packed);
    const bytes = await answer.bytes();
    expect(new Uint8Array(gunzipSync(bytes))).toEqual(text.slice(0, 256 * 1024));
    const [key] = await keysOf(test.storage as StoreDriver, "chunks");
    const isAsStored = Buffer.compare(bytes, await read(test.storage as StoreDriver, key!)) === 0;
    expect(isAsStored).toBe(name !== "zstd");
  },
);

test("an image that is still being downloaded is told so, and goes on without the client", async () => {
  const gate = Promise.withResolvers<void>();
  const { send, upstream, manager } = made();
  upstream.chunk = async (bytes) => gate.promise.then(() => bytes);
  const response = await send(image, { headers: { prefer: "respond-async, wait=0" } });
  expect(summaryOf(response, "retry-after", "cache-control")).toEqual({
    status: 202,
    "retry-after": "1",
    "cache-control": "no-store",
  });
  gate.resolve();
  expect((await send(image)).status).toBe(200);
  expect(upstream.asked).toHaveLength(4);
  expect(await manager.inspect(slug, "1.0.0")).toBeDefined();
});

describe("refuses", () => {
  test("everything without the option", async () => {
    const { send } = made({}, { mirror: false });
    for (const path of [base, image]) expect((await send(path)).status).toBe(404);
  });

  test("what `authorize` refuses, which sees each request; allowed answers are private", async () => {
    const seen: string[] = [];
    const authorize = ({ url, headers }: Request) => {
      seen.push(new URL(url).pathname);
      return headers.get("authorization") === "Bearer a";
    };
    const { send } = made({}, { authorize });
    expect((await send(image)).status).toBe(401);
    const { digests } = await described({
      send: (path) => send(path, { headers: { authorization: "Bearer a" } }),
    });
    const chunk = `${image}/chunks/${digests[0]}`;
    expect((await send(chunk)).status).toBe(401);
    const allowed = await send(chunk, { headers: { authorization: "Bearer a" } });
    expect(allowed.headers.get("cache-control")).toMatch(/^private/);
    expect(seen).toEqual([image.slice(0), image, chunk, chunk]);
  });

  test("chunks of images that are another's, though the store has them", async () => {
    const storage = memoryAdapter();
    const other = chunkedUpstream(contentOf(5, { 1: 77 }));
    const source = { ...other.source, scope: async () => "another-account" };
    await createTestManager({ url: "" }, { source, storage }).manager.prefetch(slug, "1.0.0");
    const theirs = (await keysOf(storage as StoreDriver, "chunks")).map((key) => key.slice(-64));
    const test = made({ storage });
    const { digests } = await described(test);
    const secret = theirs.find((digest) => !digests.includes(digest));
    expect((await test.send(`${image}/chunks/${secret}`)).status).toBe(404);
    expect((await test.send(`${image}/chunks/${digests[0]}`)).status).toBe(200);
  });

  test.each([
    [404, `${base}/nothing`],
    [404, `${base}/images/${slug}`],
    [404, `${image}/chunks/abc`],
    [404, `${image}/chunks/${"0".repeat(64)}`],
    [404, `${image}/chunks/${"0".repeat(64)}/more`],
    [404, "/mirror/v2"],
    [400, `${base}/images/${slug}/%5E1.0.0`],
    [400, `${base}/images/${slug}/..%2f1.0.0`],
    [400, `${base}/images/No%20Slug/1.0.0`],
    [400, `${image}?developmentMode=true`],
    [400, `${image}?appId=5`],
    [400, `${image}?imageType=raw&imageType=raw`],
    [400, `${image}?imageType=best`],
    [400, `${base}?a=b`],
    [400, `${base}/device-types/%E0%A4`],
  ])("with %s: %s", async (status, path) => {
    const { send, upstream } = made();
    const response = await send(path);
    expect(response.status).toBe(status);
    expect(await problemIn(response)).toMatchObject({ status });
    expect(upstream.asked).toEqual([]);
  });

  test("other methods than GET and HEAD", async () => {
    const { send } = made({}, { edit: () => undefined });
    expect((await send(image, { method: "POST", body: "{}" })).status).toBe(405);
  });

  test("an image that does not fit into the store", async () => {
    const { send, errors } = made({ maxBytes: 300_000 });
    const response = await send(image);
    expect(await problemIn(response)).toMatchObject({ status: 503, code: "STORE" });
    expect(errors).toHaveLength(1);
  });

  test("the option with anything but true and false, or over a manager of another kind", () => {
    const { manager } = made();
    for (const make of [
      () => createImageHandler(manager, { mirror: "yes" as never }),
      () => createImageHandler({ get: () => undefined } as never, { mirror: true, authorize: () => true }),
    ])
      expect(make).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining('"mirror"') }),
      );
  });
});

test("below a base path, and beside all other routes", async () => {
  const { send } = made({}, { basePath: "/os" });
  expect((await send(`/os${image}`)).status).toBe(200);
  expect((await send(image)).status).toBe(404);
  expect(Buffer.compare(await bytesOf((await send(`/os/images/${slug}/1.0.0`)).body!), content)).toBe(0);
});
