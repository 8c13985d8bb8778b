// Saving edited images: the same bytes whether or not a save was interrupted, and no file that others can read.
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { saveImage } from "../../src/adapters/node/index.ts";
import { nobody } from "../../src/adapters/node/save/owner.ts";
import { writeProgress } from "../../src/adapters/node/save/progress-record.ts";
import { checkedTarget } from "../../src/adapters/node/save/target.ts";
import { contentOf, temporaryPath } from "../../src/adapters/node/save/temporary-name.ts";
import type { DerivedImage } from "../../src/core/index.ts";
import { edited, imageOf, upstreamOf, writing } from "../core/edits/support.ts";
import { rejection } from "../support/collect.ts";
import { scriptedVersion } from "../support/scripted-upstream.ts";
import { slug } from "../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

const { version } = scriptedVersion;
const content = imageOf(24, chunkBytes);
const root = await mkdtemp(join(tmpdir(), "save-edited-"));
afterAll(() => rm(root, { recursive: true, force: true }));
const edit = writing("edited", 100, 3 * chunkBytes + 9, 10 * chunkBytes - 3, -10);
const expected = await edited(content, edit);
const editKey = "the key of several managers";
const storage = memoryAdapter();

let directory = "";
let path = "";
beforeEach(async () => {
  directory = await mkdtemp(join(root, "target-"));
  path = join(directory, "balena.img");
});

function managerOf(options: Parameters<typeof createTestManager>[1] = {}) {
  const upstream = upstreamOf(content);
  const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
  const { manager } = createTestManager(upstream as never, {
    ...upstream,
    storage,
    editKey,
    freshness,
    ...options,
  });
  return { manager, upstream };
}

const isSaved = async () => Buffer.compare(await readFile(path), expected) === 0;

/** What a save that was killed would have left of it. */
async function leave(bytes: Uint8Array, etag: string): Promise<void> {
  const left = await temporaryPath(await checkedTarget(path), contentOf(etag), nobody);
  const file = await open(left, "w");
  await file.write(bytes);
  await writeProgress(file, content.length, { writtenBytes: bytes.length, chunkBytes });
  await file.close();
}

async function etagOfEdited(): Promise<string> {
  const { manager } = managerOf();
  await manager.prefetch(slug, version);
  const stream = await manager.get(slug, version, { edit });
  await stream.cancel();
  return stream.etag!;
}

describe("an edited image", () => {
  test("is saved from the network and from the cache, for its owner alone", async () => {
    const { manager, upstream } = managerOf({ storage: memoryAdapter() });
    const first = await saveImage(manager, slug, version, path, { edit });
    expect(first).toMatchObject({ origin: "network", size: content.length, resumedBytes: 0 });
    expect(first).not.toHaveProperty("etag"); // the plain image's would be wrong
    expect(await isSaved()).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await writeFile(path, "old");
    const second = await saveImage(manager, slug, version, path, { edit });
    expect(second).toMatchObject({ origin: "cache", etag: await etagOfEdited() });
    expect(await isSaved()).toBe(true);
    expect(upstream.downloads).toHaveLength(1);
    expect(await readdir(directory)).toEqual(["balena.img"]);
  });

  test.each<[string, (left: Uint8Array) => void, number]>([
    ["as it was left", () => {}, 12],
    ["with a wrong byte", (left) => left.fill(left[0]! ^ 1, 0, 1), 11],
    ["with the plain image's bytes", (left) => left.set(content.subarray(0, left.length)), 8],
    ["with something in a hole", (left) => left.fill(7, 3 * chunkBytes + 500, 3 * chunkBytes + 600), 11],
  ])("goes on from what another save has left: %s", async (_, spoil, soundChunks) => {
    const left = expected.slice(0, 12 * chunkBytes);
    spoil(left);
    const etag = await etagOfEdited();
    await leave(left, etag);
    const { manager } = managerOf();
    const saved = await saveImage(manager, slug, version, path, { edit });
    expect(saved).toMatchObject({ etag, resumedBytes: soundChunks * chunkBytes });
    expect(await isSaved()).toBe(true);
    expect(await readdir(directory)).toEqual(["balena.img"]);
  });

  test("goes on after a save that broke off", async () => {
    await etagOfEdited();
    const { manager } = managerOf();
    const stop = new AbortController();
    const onProgress = ({ percent = 0 }) => percent > 60 && stop.abort(new Error("enough"));
    const options = { edit, concurrency: 1 };
    const failure = await rejection(
      saveImage(manager, slug, version, path, { ...options, onProgress, signal: stop.signal }),
    );
    expect(failure).toMatchObject({ message: "enough" });
    expect(await readdir(directory)).toHaveLength(1);
    const saved = await saveImage(managerOf().manager, slug, version, path, options);
    expect(saved.resumedBytes).toBeGreaterThan(0.5 * content.length);
    expect(await isSaved()).toBe(true);
  });

  test("starts over from what another edit has left", async () => {
    await etagOfEdited();
    const { manager } = managerOf();
    const other = await manager.get(slug, version, { edit: writing("another", 100) });
    await other.cancel();
    await leave(expected.slice(0, 12 * chunkBytes), other.etag!);
    expect(await saveImage(manager, slug, version, path, { edit })).toMatchObject({ resumedBytes: 0 });
    expect(await isSaved()).toBe(true);
    expect(await readdir(directory)).toEqual(["balena.img"]);
  });

  test("that is new each time leaves nothing for the next save to go on from", async () => {
    let count = 0;
    const upstream = upstreamOf(content);
    const derive = async (): Promise<DerivedImage> => ({
      variant: {},
      edit: writing(`key ${count++}`, 100),
      isNewEachTime: true,
    });
    const { manager } = managerOf({ ...upstream, source: { ...upstream.source, derive } });
    await manager.prefetch(slug, version);
    const stop = new AbortController();
    const onProgress = ({ percent = 0 }) => percent > 60 && stop.abort(new Error("enough"));
    await rejection(saveImage(manager, slug, version, path, { appId: 7, onProgress, signal: stop.signal }));
    expect(await readdir(directory)).toEqual([]);
    const saved = await saveImage(manager, slug, version, path, { appId: 7 });
    expect(saved).toMatchObject({ resumedBytes: 0 });
    expect(saved).not.toHaveProperty("etag");
    expect(
      Buffer.compare(await readFile(path), await edited(content, writing(`key ${count - 1}`, 100))),
    ).toBe(0);
  });
});
