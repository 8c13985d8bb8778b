/** A page in place of the file: a captive portal or a maintenance page, which says 200. It is no image, and a good copy stays and stands in. */
import { describe, expect, test } from "vitest";
import type { GetOptions } from "../../../src/core/index.ts";
import { isPage, whyNot } from "../../../src/core/upstream/plausible.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import {
  chunkedResponse,
  fileResponse,
  gzip,
  noise,
  scriptedUpstream,
} from "../../support/scripted-upstream.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const slug = "intel-nuc";
const version = "1.0.0";
const html = new TextEncoder().encode(`<!doctype html><title>Sign in</title>${"<p>…</p>".repeat(200)}`);
const disk = noise(2 * chunkBytes + 9);
disk.set([0x55, 0xaa], 510);
const zip = noise(chunkBytes);
zip.set([0x50, 0x4b, 3, 4]);

const pages: [string, () => Response][] = [
  ["text/html", () => fileResponse(disk, { "content-type": "text/html; charset=utf-8" })],
  ["JSON", () => Response.json({ error: "maintenance" })],
  [
    "a problem as JSON",
    () => new Response("{}", { headers: { "content-type": "application/problem+json" } }),
  ],
  ["HTML that is called a file", () => fileResponse(html, { "content-type": "application/octet-stream" })],
  ["HTML without a type or a length", () => chunkedResponse(html)],
  ["a line of text", () => new Response("down for maintenance\n")],
  ["nothing, with a length", () => fileResponse(new Uint8Array(0))],
  ["nothing, without one", () => chunkedResponse(new Uint8Array(0))],
];

const files: [string, GetOptions, Uint8Array<ArrayBuffer>][] = [
  ["the .gz", {}, gzip(disk)],
  ["an .img", { fileType: ".img" }, disk],
  ["the .img that the .gz falls back to", {}, disk],
  ["a .gz taken as it is", { fileType: ".gz" }, gzip(disk)],
  ["a .zip", { fileType: ".zip" }, zip],
];

/** A manager whose upstream hands out a file, or a page while there is one. */
function managerOver(name: string, file: Uint8Array<ArrayBuffer>) {
  const upstream: { page: (() => Response) | undefined } = { page: undefined };
  const isRefused = (url: URL) => name.includes("falls back") && url.searchParams.get("fileType") === ".gz";
  const { source, fetch } = scriptedUpstream({
    respond({ url }) {
      if (isRefused(url)) return new Response(null, { status: 404 });
      return upstream.page?.() ?? fileResponse(file);
    },
  });
  return { upstream, ...createTestManager({ url: "" }, { source, fetch }) };
}

describe.each(files)("in place of %s", (name, options, file) => {
  test.each(pages)("%s is UPSTREAM, and nothing is stored", async (_, page) => {
    const { manager, upstream, events } = managerOver(name, file);
    upstream.page = page;
    const failure = await rejection(manager.get(slug, version, options).then(bytesOf));
    expect(failure).toMatchObject({ code: "UPSTREAM", unavailable: true });
    expect(events.types()).not.toContain("committed");
    expect(await manager.inspect(slug, version, options)).toBeUndefined();
    upstream.page = undefined;
    await manager.prefetch(slug, version, options);
  });

  test.each(pages)("%s leaves a good copy, which is served stale", async (_, page) => {
    const { manager, upstream, events } = managerOver(name, file);
    const before = await manager.prefetch(slug, version, options);
    const good = await bytesOf(await manager.get(slug, version, { ...options, cache: "force-cache" }));
    upstream.page = page;
    events.clear();
    const stream = await manager.get(slug, version, options);
    expect(stream.origin).toBe("stale");
    expect(await bytesOf(stream)).toEqual(good);
    expect(events.types()).toEqual(["stale-served"]);
    expect(await rejection(manager.get(slug, version, { ...options, cache: "reload" }))).toMatchObject({
      code: "UPSTREAM",
    });
    expect(await manager.inspect(slug, version, options)).toEqual(before);
  });
});

test.each([
  [".gz", "it is no gzip file"],
  [".zip", "it is no zip file"],
] as const)("bytes that are no %s are refused", async (fileType, reason) => {
  const { manager, upstream } = managerOver("", zip);
  upstream.page = () => fileResponse(disk);
  const failure = await rejection(manager.get(slug, version, { fileType }));
  expect(failure).toMatchObject({ code: "UPSTREAM", message: expect.stringContaining(reason) });
});

test("a page in mid-transfer is waited out", async () => {
  const packed = gzip(disk);
  const { source, fetch } = scriptedUpstream({
    respond({ count }) {
      if (count === 1) return fileResponse(html);
      return fileResponse(count === 0 ? packed.slice(0, packed.length / 2) : packed, {
        "content-length": String(packed.length),
      });
    },
  });
  const { manager } = createTestManager({ url: "" }, { source, fetch });
  expect(await bytesOf(await manager.get(slug, version))).toEqual(disk);
});

test("a raw image that begins like no disk is told, delivered and stored", async () => {
  const strange = noise(2 * chunkBytes);
  const { manager, events } = managerOver("", gzip(strange));
  const stream = await manager.get(slug, version);
  expect(await bytesOf(stream)).toEqual(strange);
  expect(await stream.committed()).toBeDefined();
  expect(events.of("unrecognized")).toEqual([{ type: "unrecognized", image: expect.any(String) }]);
  const known = managerOver("", gzip(disk));
  await known.manager.prefetch(slug, version);
  expect(known.events.of("unrecognized")).toEqual([]);
});

test("a body that comes byte by byte is looked at all the same", async () => {
  const slowly = (bytes: Uint8Array) => {
    let at = 0;
    return new ReadableStream({
      pull: (controller) => (at < 600 ? controller.enqueue(bytes.slice(at, ++at)) : controller.close()),
    });
  };
  const short = disk.slice(0, 600);
  const { manager, upstream } = managerOver("", short);
  upstream.page = () => new Response(slowly(short), { headers: { "content-length": "600" } });
  expect(await bytesOf(await manager.get(slug, version, { fileType: ".img" }))).toEqual(short);
  upstream.page = () => new Response(slowly(html));
  expect(await rejection(manager.get(slug, version, { fileType: ".img", cache: "reload" }))).toMatchObject({
    code: "UPSTREAM",
  });
});

describe("media types", () => {
  test.each([
    "text/html",
    "TEXT/HTML; charset=utf-8",
    "application/xhtml+xml",
    "application/json",
    "text/css",
  ])("%s is a page", (mime) => expect(isPage(mime)).toBe(true));
  test.each([
    undefined,
    "",
    "application/octet-stream",
    "application/gzip",
    "text/plain",
    "application/zip",
    "image/x",
  ])("%s may be a file", (mime) => expect(isPage(mime)).toBe(false));
});

test("under a content coding only a text gives itself away", () => {
  expect(whyNot(".gz", disk, true)).toBeUndefined();
  expect(whyNot(".zip", disk, true)).toBeUndefined();
  expect(whyNot(".gz", html, true)).toBe("it is a text");
});
