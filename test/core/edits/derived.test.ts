/** An image that follows from a plainer one: the plainer one is got and cached, and edited on its way out. */
import { describe, expect, test } from "vitest";
import type { DerivedImage, ImageVariant, ResolvedImage } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { edited, imageOf, upstreamOf, writing } from "./support.ts";

const { version } = scriptedVersion;
const content = imageOf(4, chunkBytes);
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;
const isDevelopment = writing("development", 100);

/** Derives development images and images of fleets, but none of another file type. */
function deriving() {
  const asked: ResolvedImage[] = [];
  const derive = async (image: ResolvedImage): Promise<DerivedImage | undefined> => {
    asked.push(image);
    const { developmentMode, appId, fileType, ...rest } = image.variant;
    if (fileType !== undefined) return undefined;
    if (appId === undefined) return { variant: rest, edit: isDevelopment };
    const key = writing(`key ${asked.length}`, 100);
    return { variant: rest, edit: key, isNewEachTime: true };
  };
  const upstream = upstreamOf(content);
  const source = { ...upstream.source, derive };
  const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
  const made = createTestManager(upstream as never, { ...upstream, source, freshness });
  return { ...made, upstream, asked };
}

describe("an image that follows from a plainer one", () => {
  test("costs no byte once that is cached, and is told as edited", async () => {
    const { manager, upstream, asked } = deriving();
    const get = (variant: ImageVariant) => manager.get(slug, version, variant);
    expect(isSame(await bytesOf(await get({})), content)).toBe(true);
    const stream = await get({ developmentMode: true });
    expect(stream).toMatchObject({ origin: "cache", edited: "repeatable", size: content.length });
    expect(isSame(await bytesOf(stream), await edited(content, isDevelopment))).toBe(true);
    expect(await stream.committed()).toEqual(await manager.inspect(slug, version));
    expect(upstream.downloads).toHaveLength(1);
    expect(asked).toMatchObject([{ deviceType: slug, version, variant: { developmentMode: true } }]);
  });

  test("is edited further by the caller, who sees what it follows by", async () => {
    const { manager } = deriving();
    const seen: string[] = [];
    const edit = async (image: Parameters<ReturnType<typeof writing>>[0]) => {
      seen.push(new TextDecoder().decode(await image.read(100, 111)));
      return [{ start: 103, bytes: new TextEncoder().encode("ELO") }];
    };
    const bytes = await bytesOf(await manager.get(slug, version, { developmentMode: true, edit }));
    expect(seen).toEqual(["development"]);
    expect(isSame(bytes, await edited(content, isDevelopment, edit))).toBe(true);
  });

  test("is prefetched as the plainer one, also if it carries credentials", async () => {
    const { manager } = deriving();
    expect(await manager.prefetch(slug, version, { appId: 7 })).toMatchObject({ variant: {} });
    const stream = await manager.get(slug, version, { appId: 7, cache: "only-if-cached" });
    expect(stream).toMatchObject({ origin: "cache", edited: "new-each-time" });
    expect(stream.etag).toBeUndefined();
    await stream.cancel();
  });

  test("is refused in ranges if it is new each time", async () => {
    const { manager, upstream } = deriving();
    const range = { start: 0, end: 10 };
    expect(await rejection(manager.get(slug, version, { appId: 7, range }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining('"range"'),
    });
    expect(upstream.downloads).toEqual([]);
    await bytesOf(await manager.get(slug, version, { developmentMode: true, range }));
  });

  test("is downloaded as it is if the source does not derive it", async () => {
    const { manager, upstream } = deriving();
    const stream = await manager.get(slug, version, { developmentMode: true, fileType: ".img" });
    expect(stream.edited).toBeUndefined();
    expect(isSame(await bytesOf(stream), content)).toBe(true);
    expect(await manager.inspect(slug, version, { developmentMode: true, fileType: ".img" })).toBeDefined();
    expect(upstream.downloads).toHaveLength(1);
  });

  test("is the plainer one to all methods but get", async () => {
    const { manager } = deriving();
    const development = { developmentMode: true };
    expect(await manager.inspect(slug, version, development)).toBeUndefined();
    const plain = await manager.prefetch(slug, version);
    expect(await manager.inspect(slug, version, development)).toEqual(plain);
    expect(await manager.inspect(slug, version, { appId: 7, wifiKey: "secret key" })).toEqual(plain);
    expect(await manager.isFresh(slug, version, development)).toBe(true);
    expect(await manager.pin(slug, version, development)).toBe(true);
    expect(await manager.inspect(slug, version)).toMatchObject({ pinned: true });
    expect(await manager.remove(slug, version, development)).toBe(true);
    expect(await manager.inspect(slug, version)).toBeUndefined();
  });

  test("is itself to them if it is cached itself", async () => {
    const { manager } = deriving();
    const archive = { developmentMode: true, fileType: ".img" } as const;
    await manager.prefetch(slug, version);
    await manager.prefetch(slug, version, archive);
    expect(await manager.inspect(slug, version, archive)).toMatchObject({ variant: archive });
    expect(await manager.remove(slug, version, archive)).toBe(true);
    expect(await manager.inspect(slug, version)).toMatchObject({ variant: {} });
  });
});
