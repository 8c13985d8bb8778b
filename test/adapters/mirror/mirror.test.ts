/** Images through a mirror on loopback: what travels, and that they are the images that the mirror's own source has. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { bootFiles } from "../../../src/adapters/boot-files/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { OsVersion, StoreDriver } from "../../../src/core/index.ts";
import { chunkedUpstream, contentOf } from "../../core/chunks/support.ts";
import { bytesOf, collect, rejection } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf, damage, keysOf, readJson } from "../../support/stored-values.ts";
import { createTestManager } from "../../support/test-manager.ts";
import { startMirror, startSite } from "./support.ts";

const api = await sharedApi({});
const image = api.image(slug, version);
const sha256 = await image.sha256;
const direct = () => balenaApiSource({ apiUrl: api.url });
const fresh = { maxAgeMs: 1e9 };

test("an image through a mirror is the one that its source has, packed on the line", async () => {
  const mirror = await startMirror(direct());
  const site = startSite(mirror);
  const stream = await site.manager.get(slug, version);
  expect(stream).toMatchObject({ origin: "network", size: image.size });
  expect((await collect(stream)).sha256).toBe(sha256);
  const info = await stream.committed();
  const { id } = info!;
  expect(info).toMatchObject({ etag: (await mirror.manager.inspect(slug, version))!.etag });
  const [there, here] = await Promise.all(
    [mirror, site].map(({ storage }) => readJson(storage as StoreDriver, `balena-images:v1:images:${id}`)),
  );
  for (const name of ["identity", "mime", "chunks", "digest"]) expect(here![name]).toEqual(there![name]);
  // That the source has no parts is for the mirror to know.
  expect({ ...(here!["validators"] as object), isWhole: true }).toEqual(there!["validators"]);
  expect(site.bytes()).toBeLessThan(image.size / 2);
  expect(api.counters.transfers).toBe(1);
});

test("a site's own store and its mirror's have the same chunks, and the same version list", async () => {
  const mirror = await startMirror(direct());
  const site = startSite(mirror);
  expect(await site.manager.versions(slug)).toEqual(await mirror.manager.versions(slug));
  expect(await site.manager.resolve(slug, "^6.0.0")).toBe(version);
  await site.manager.prefetch(slug, "^6.0.0");
  const keys = ({ storage }: { storage: unknown }) => keysOf(storage as StoreDriver, "chunks");
  expect(await keys(site)).toEqual(await keys(mirror));
});

test("its development image costs no byte of image, and is what the API's own source makes", async () => {
  const mirror = await startMirror(direct());
  const site = startSite(mirror, { freshness: fresh });
  await site.manager.prefetch(slug, version);
  site.line.splice(0);
  const made = await collect(await site.manager.get(slug, version, { developmentMode: true }));
  expect(site.line).toEqual([]);
  const other = createTestManager(api, { source: direct() });
  expect(made).toEqual(await collect(await other.manager.get(slug, version, { developmentMode: true })));
  const edit = bootFiles({ "a.txt": "a" });
  expect((await site.manager.get(slug, version, { edit })).edited).toBe("repeatable");
});

test("a fleet's image is refused, and the way to one is named", async () => {
  const site = startSite(await startMirror(direct()));
  expect(await rejection(site.manager.get(slug, version, { appId: 12 }))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining('"edit"'),
  });
  expect(
    await rejection(site.manager.get(slug, version, { developmentMode: true, fileType: ".gz" })),
  ).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

const content = contentOf(20);

/** A mirror of an image that is known chunk by chunk. */
async function scripted() {
  const upstream = chunkedUpstream(content);
  const versions: OsVersion[] = [{ version: "1.0.0", line: "default", draft: false }];
  const source = { ...upstream.source, versions: async () => versions };
  return { upstream, versions, mirror: await startMirror(source, { freshness: { maxAgeMs: 0 } }) };
}

test("the next release costs the chunks that the site lacks, and they alone", async () => {
  const { upstream, versions, mirror } = await scripted();
  const site = startSite(mirror);
  await site.manager.prefetch(slug, "1.0.0");
  expect(site.chunks()).toHaveLength(19);
  site.line.splice(0);
  versions.push({ version: "1.1.0", line: "default", draft: false });
  upstream.content = contentOf(20, { 4: 100, 15: 101 });
  const stream = await site.manager.get(slug, "latest");
  expect(stream.version).toBe("1.1.0");
  expect(Buffer.compare(await bytesOf(stream), upstream.content)).toBe(0);
  expect(site.chunks()).toHaveLength(2);
});

test("fifty gets at a site, and sites at once, are one transfer each", async () => {
  const { upstream, mirror } = await scripted();
  const sites = [startSite(mirror), startSite(mirror)];
  await Promise.all(
    sites.flatMap(({ manager }) =>
      Array.from({ length: 25 }, async () => bytesOf(await manager.get(slug, "1.0.0"))),
    ),
  );
  for (const site of sites) expect(site.chunks()).toHaveLength(19);
  expect(upstream.asked).toHaveLength(19);
});

test("a revalidation is one request without a body", async () => {
  const { mirror } = await scripted();
  const site = startSite(mirror);
  await site.manager.prefetch(slug, "1.0.0");
  site.line.splice(0);
  expect((await site.manager.get(slug, "1.0.0")).origin).toBe("cache");
  expect(site.line).toMatchObject([{ status: 304, bytes: 0 }]);
});

test("a site whose mirror is away has what it has, also after a restart", async () => {
  const { upstream, mirror } = await scripted();
  const storage = memoryAdapter();
  const site = startSite(mirror, { storage });
  await site.manager.prefetch(slug, "1.0.0");
  await mirror.unreachable();
  for (const { manager } of [site, startSite(mirror, { storage })]) {
    const stream = await manager.get(slug, "^1.0.0");
    expect(stream.origin).toBe("stale");
    expect(Buffer.compare(await bytesOf(stream), upstream.content)).toBe(0);
  }
  expect(await rejection(startSite(mirror).manager.get(slug, "1.0.0"))).toMatchObject({ code: "UPSTREAM" });
});

test("chunks that a site has lost come alone; those that the mirror has lost are mended there", async () => {
  const { upstream, mirror } = await scripted();
  const storage = memoryAdapter();
  const site = startSite(mirror, { storage, freshness: fresh });
  const { id } = await site.manager.prefetch(slug, "1.0.0");
  site.line.splice(0);
  upstream.asked.splice(0);
  const key = (await chunkKeysOf(storage, id))[6]!;
  await damage(storage, key, "flip");
  await damage(mirror.storage as StoreDriver, key, "missing");
  expect(Buffer.compare(await bytesOf(await site.manager.get(slug, "1.0.0")), upstream.content)).toBe(0);
  expect(site.chunks()).toHaveLength(1);
  expect(upstream.asked).toHaveLength(1);
  expect(mirror.events.of("healed")).toMatchObject([{ chunks: 1 }]);
  expect(site.events.of("healed")).toMatchObject([{ chunks: 1 }]);
});

test("an image that the mirror has replaced is got anew", async () => {
  const { upstream, mirror } = await scripted();
  const site = startSite(mirror);
  await site.manager.prefetch(slug, "1.0.0");
  upstream.content = contentOf(20, { 1: 55 });
  const stream = await site.manager.get(slug, "1.0.0");
  expect(stream.origin).toBe("network");
  const digest = createHash("sha256").update(upstream.content).digest("hex");
  expect((await collect(stream)).sha256).toBe(digest);
});

test("whose images they are is the mirror's to say, and is asked once", async () => {
  const upstream = chunkedUpstream(contentOf(2));
  const mirror = await startMirror({ ...upstream.source, scope: async () => "account-7" });
  const storage = memoryAdapter();
  const site = startSite(mirror, { storage });
  const { id } = await site.manager.prefetch(slug, "1.0.0");
  expect(await mirror.manager.inspect(slug, "1.0.0")).toMatchObject({ id, variant: { scope: "account-7" } });
  const again = startSite(mirror, { storage });
  await again.manager.prefetch(slug, "1.0.0");
  const owners = (line: readonly { path: string }[]) => line.filter(({ path }) => path === "");
  expect([owners(site.line).length, owners(again.line).length]).toEqual([1, 0]);
});
