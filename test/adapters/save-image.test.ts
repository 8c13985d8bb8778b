// Saving images to files: real files and stores, the real manager, processes that are really killed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmod,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { saveImage } from "../../src/adapters/node/index.ts";
import { thisOwner } from "../../src/adapters/node/save/owner.ts";
import { readProgress, writeProgress } from "../../src/adapters/node/save/progress-record.ts";
import type { ImageManager, ImageStream, Progress } from "../../src/core/index.ts";
import { rejection } from "../support/collect.ts";
import { faultyDriver } from "../support/faulty-driver.ts";
import { draftPath, fillDraft, saveTargets } from "../support/save-drafts.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";
import type { SaveTask } from "./save-image-child.ts";

const MiB = 1024 * 1024;
const imageBytes = 8 * MiB;
const otherVersion = "6.0.10";
const api = await sharedApi({ imageBytes });
const { root, next } = await saveTargets();

// One store with the image in it for all tests; and a directory for each.
const base = join(root, "store");
const filled = createTestManager(api, { storage: fsAdapter({ base }) });
const { etag } = await filled.manager.prefetch(slug, version);
const image = Buffer.from(api.image(slug, version).bytes());
const sha256 = await api.image(slug, version).sha256;

let directory = "";
let path = "";
beforeEach(async () => {
  ({ directory, path } = await next());
});

const sha256Of = async (file = path) =>
  createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
const files = () => readdir(directory);

/** A manager over the filled store that counts what it reads there. */
function counting() {
  const storage = faultyDriver(fsAdapter({ base }));
  const { manager } = createTestManager(api, { storage, memoryBytes: MiB, freshness: { maxAgeMs: 3600e3 } });
  const chunkReads = () =>
    storage.calls.filter(({ operation, key }) => operation === "getItemRaw" && key.includes("v1:chunks"))
      .length;
  return { manager, chunkReads };
}

/** Puts a file there as a save would have left it. */
async function leave(
  bytes: Uint8Array,
  {
    writtenBytes = bytes.length,
    of = etag,
    owner = undefined as string | undefined,
    noted = chunkBytes,
  } = {},
): Promise<string> {
  const left = await draftPath(path, of, owner);
  await fillDraft(left, bytes, imageBytes, { writtenBytes, chunkBytes: noted });
  return left;
}

describe("saves", () => {
  test("from the network, then from the cache; free space stays a hole", async () => {
    const { manager } = createTestManager(api);
    const facts = { path, deviceType: slug, version, size: imageBytes, etag, resumedBytes: 0 };
    const progress: Progress[] = [];
    for (const origin of ["network", "cache"]) {
      const saved = await saveImage(manager, slug, "~6.1.0", path, { onProgress: (p) => progress.push(p) });
      expect(saved).toMatchObject({ ...facts, origin, mime: "application/octet-stream" });
      expect(await sha256Of()).toBe(sha256);
      expect(saved.holeBytes).toBeGreaterThan(0.15 * imageBytes);
      const { blocks } = await stat(path);
      const dataBytes = imageBytes - saved.holeBytes;
      expect(blocks * 512).toBeGreaterThanOrEqual(dataBytes);
      expect(blocks * 512).toBeLessThanOrEqual(dataBytes + 64 * 1024); // the file system's own notes
      expect(await files()).toEqual(["balena.img"]);
      expect(progress.at(-1)?.transferredBytes).toBe(imageBytes);
    }
  });

  test("an image that is not cached and has no ETag", async () => {
    const { manager } = createTestManager(api);
    const saved = await saveImage(manager, slug, version, path, { appId: 7 });
    expect(saved).toMatchObject({ size: imageBytes, origin: "network" });
    expect(saved).not.toHaveProperty("etag");
    expect(await sha256Of()).toBe(await api.image(slug, version, { appId: 7 }).sha256);
    expect(await files()).toEqual(["balena.img"]);
  });

  test("over the old file, which stays whole until then, with its permissions", async () => {
    await writeFile(path, "old");
    await chmod(path, 0o600);
    await link(path, join(directory, "other name"));
    const seen = new Set<string>();
    await saveImage(counting().manager, slug, version, path, {
      onProgress: async () => void seen.add((await readFile(path, "utf8")).slice(0, 3)),
    });
    expect(await sha256Of()).toBe(sha256);
    expect([...seen][0]).toBe("old");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(join(directory, "other name"), "utf8")).toBe("old");
  });

  test("to what a link leads to", async () => {
    await mkdir(join(directory, "disk"));
    await writeFile(join(directory, "disk", "real.img"), "old");
    await symlink(join("disk", "real.img"), path);
    const saved = await saveImage(filled.manager, slug, version, path);
    expect(saved.path).toBe(join(directory, "disk", "real.img"));
    expect(await sha256Of(saved.path)).toBe(sha256);
    expect(await readdir(join(directory, "disk"))).toEqual(["real.img"]);
  });

  test("names of any length", async () => {
    for (const name of ["x".repeat(255), "ö".repeat(127), "%2F?*"]) {
      const { path: saved } = await saveImage(filled.manager, slug, version, join(directory, name));
      expect(await sha256Of(saved)).toBe(sha256);
    }
  });

  test("twice to one path at once, also of two images: each call ends, the file is one of them", async () => {
    const saves = [version, otherVersion, version, otherVersion].map((wanted) =>
      saveImage(filled.manager, slug, wanted, path, { concurrency: 2 }),
    );
    const saved = await Promise.all(saves);
    expect(saved.map(({ resumedBytes }) => resumedBytes)).toEqual([0, 0, 0, 0]);
    expect([sha256, await api.image(slug, otherVersion).sha256]).toContain(await sha256Of());
    expect(await files()).toEqual(["balena.img"]);
  });
});

describe("goes on", () => {
  const half = image.subarray(0, imageBytes / 2);

  test("after an abort, reading only the rest from the store, and counts progress from there", async () => {
    const whole = counting();
    await saveImage(whole.manager, slug, version, join(directory, "other.img"));
    const reason = new Error("enough");
    const controller = new AbortController();
    const onProgress = ({ transferredBytes }: Progress) => {
      if (transferredBytes >= imageBytes / 2) controller.abort(reason);
    };
    const options = { onProgress, signal: controller.signal };
    expect(await rejection(saveImage(counting().manager, slug, version, path, options))).toBe(reason);
    expect((await files()).filter((name) => name === "balena.img")).toEqual([]);
    expect(await files()).toHaveLength(2);

    const again = counting();
    const progress: Progress[] = [];
    const saved = await saveImage(again.manager, slug, version, path, {
      onProgress: (p) => progress.push(p),
    });
    expect(await sha256Of()).toBe(sha256);
    expect(saved.resumedBytes).toBeGreaterThan(imageBytes / 4);
    expect(again.chunkReads()).toBeLessThan(0.8 * whole.chunkReads());
    expect(progress[0]?.transferredBytes).toBe(saved.resumedBytes + chunkBytes);
    expect(progress.at(-1)).toMatchObject({
      transferredBytes: imageBytes,
      totalBytes: imageBytes,
      percent: 100,
    });
    expect((await files()).sort()).toEqual(["balena.img", "other.img"]);
  });

  test("after a kill at 50 %", async () => {
    await killedAt(imageBytes / 2);
    expect(await files()).toHaveLength(1);
    const { manager, chunkReads } = counting();
    const saved = await saveImage(manager, slug, version, path);
    expect(await sha256Of()).toBe(sha256);
    // Up to four pieces were in the air.
    expect(saved.resumedBytes).toBeGreaterThanOrEqual(imageBytes / 2 - 5 * chunkBytes);
    expect(chunkReads()).toBeLessThanOrEqual((imageBytes - saved.resumedBytes) / chunkBytes);
    expect(await files()).toEqual(["balena.img"]);
  });

  test("without a read of the store if all was written but the name", async () => {
    await leave(image);
    const { manager, chunkReads } = counting();
    expect(await saveImage(manager, slug, version, path)).toMatchObject({
      resumedBytes: imageBytes,
      holeBytes: 0,
    });
    expect([chunkReads(), await sha256Of(), await files()]).toEqual([0, sha256, ["balena.img"]]);
  });

  test("with what lies behind the progress made void", async () => {
    await leave(Buffer.concat([half, Buffer.alloc(imageBytes / 2, 7)]), { writtenBytes: half.length });
    const saved = await saveImage(counting().manager, slug, version, path);
    expect([saved.resumedBytes, await sha256Of()]).toEqual([half.length, sha256]);
  });

  test("again if going on was aborted before its first byte", async () => {
    await leave(half);
    const reason = new Error("enough");
    const manager: Pick<ImageManager, "get"> = {
      get: async (type, wanted, options) => {
        const stream = await filled.manager.get(type, wanted, options);
        if (!options?.range) return stream;
        const failing = new ReadableStream({ pull: () => Promise.reject(reason) });
        return Object.assign(failing, { etag, size: imageBytes }) as unknown as ImageStream;
      },
    };
    expect(await rejection(saveImage(manager, slug, version, path))).toBe(reason);
    const saved = await saveImage(counting().manager, slug, version, path);
    expect([saved.resumedBytes, await sha256Of()]).toEqual([half.length, sha256]);
  });
});

describe("starts over", () => {
  const half = Buffer.from(image.subarray(0, imageBytes / 2));
  const flipped = Buffer.from(half);
  flipped[12_345] = flipped[12_345]! ^ 1;

  test.each([
    ["a byte of what was left is wrong", flipped, {}],
    ["less was left than noted", half, { writtenBytes: imageBytes - chunkBytes }],
    ["all is noted and nothing there", Buffer.alloc(0), { writtenBytes: imageBytes }],
    ["the chunks noted are of another size", half, { noted: 2 * chunkBytes }],
  ])("if %s", async (_, bytes, options) => {
    await leave(bytes, options);
    const saved = await saveImage(counting().manager, slug, version, path);
    expect([saved.resumedBytes, await sha256Of(), await files()]).toEqual([0, sha256, ["balena.img"]]);
  });

  test.each([
    ["nothing", 0, chunkBytes],
    ["more than there is", imageBytes + chunkBytes, chunkBytes],
    ["half a chunk", chunkBytes / 2, chunkBytes],
    ["no number", Number.NaN, chunkBytes],
  ])("if the note says %s", async (_, writtenBytes, noted) => {
    await leave(half, { writtenBytes, noted });
    const saved = await saveImage(counting().manager, slug, version, path);
    expect([saved.resumedBytes, await sha256Of(), await files()]).toEqual([0, sha256, ["balena.img"]]);
  });

  test("if the chunks noted would take more memory than any do", async () => {
    const file = await open(await leave(half, { writtenBytes: imageBytes, noted: 64 * MiB }), "r+");
    expect(await readProgress(file, imageBytes)).toEqual({ writtenBytes: imageBytes, chunkBytes: 64 * MiB });
    await writeProgress(file, imageBytes, { writtenBytes: imageBytes, chunkBytes: 64 * MiB + 1 });
    expect(await readProgress(file, imageBytes)).toBeUndefined();
    await file.close();
  });

  test("if the file was cut short of its note", async () => {
    await writeFile(await leave(half), half);
    const saved = await saveImage(counting().manager, slug, version, path);
    expect([saved.resumedBytes, await sha256Of()]).toEqual([0, sha256]);
  });

  test("if another image was left, which is deleted", async () => {
    await leave(half, { of: '"another"' });
    const saved = await saveImage(counting().manager, slug, version, path);
    expect([saved.resumedBytes, await sha256Of(), await files()]).toEqual([0, sha256, ["balena.img"]]);
  });

  test("if the cache lost the image meanwhile", async () => {
    await leave(half);
    const { manager } = createTestManager(api);
    await manager.prefetch(slug, version);
    let gets = 0;
    const losing: Pick<ImageManager, "get"> = {
      get: async (...wanted) => {
        if (++gets === 2) await manager.cleanCache();
        return manager.get(...wanted);
      },
    };
    const saved = await saveImage(losing, slug, version, path);
    expect([saved.resumedBytes, saved.origin, await sha256Of()]).toEqual([0, "network", sha256]);
    expect(await files()).toEqual(["balena.img"]);
  });

  test("if the upstream's image changed under its version", async () => {
    await leave(half);
    const { manager } = createTestManager(api);
    await manager.prefetch(slug, version);
    api.faults.change = { content: true, validators: true };
    const saved = await saveImage(manager, slug, version, path);
    expect([saved.resumedBytes, saved.origin]).toEqual([0, "network"]);
    expect(await sha256Of()).toBe(await api.image(slug, version, {}, 1).sha256);
    expect(await files()).toEqual(["balena.img"]);
  });
});

describe("temporary files", () => {
  const small = Buffer.alloc(10);

  test("of a process that lives stay untouched, until they are an hour old", async () => {
    const left = await leave(image, { owner: await thisOwner() });
    const saved = await saveImage(counting().manager, slug, version, path);
    expect([saved.resumedBytes, await sha256Of(left), (await files()).length]).toEqual([
      0,
      await sha256Of(left),
      2,
    ]);
    const old = new Date(Date.now() - 3601e3);
    await utimes(left, old, old);
    expect(await saveImage(counting().manager, slug, version, path)).toMatchObject({
      resumedBytes: imageBytes,
    });
    expect(await files()).toEqual(["balena.img"]);
  });

  test("of a process elsewhere count as alive, whatever its id means here", async () => {
    await leave(small, { of: '"x"', owner: `00000000-${await deadProcessId()}` });
    await saveImage(filled.manager, slug, version, path);
    expect(await files()).toHaveLength(2);
  });

  test("of a dead process are deleted, whatever they hold; those of other targets are not", async () => {
    const [world] = (await thisOwner()).split("-");
    await leave(small, { of: '"x"', owner: `${world}-${await deadProcessId()}` });
    await writeFile(join(directory, ".balena.img.part"), "not ours");
    path = join(directory, "balena.img2");
    await leave(small, { of: '"x"' });
    path = join(directory, "balena.img");
    await saveImage(filled.manager, slug, version, path);
    const names = (await files()).filter((name) => name !== "balena.img").sort();
    expect(names).toEqual([".balena.img.part", expect.stringMatching(/^\.balena\.img2\./)]);
  });

  test("of a download that fails are deleted, and the old file stays", async () => {
    await writeFile(path, "old");
    const { manager } = createTestManager(api, { retry: { attempts: 1 } });
    api.faults.lose = { atPercent: 50 };
    expect(await rejection(saveImage(manager, slug, version, path))).toMatchObject({ code: "UPSTREAM" });
    expect([await files(), await readFile(path, "utf8")]).toEqual([["balena.img"], "old"]);
  });

  test.each([{}, { cache: "no-store" } as const])(
    "of a download whose end nothing proves are deleted, and the old file stays: %o",
    async (options) => {
      await writeFile(path, "old");
      const { manager } = createTestManager(api);
      api.faults.endShort = { how: "chunked", atPercent: 50 };
      const saving = saveImage(manager, slug, version, path, { ...options, fileType: ".img" });
      expect(await rejection(saving)).toMatchObject({ code: "TRUNCATED_DOWNLOAD" });
      expect([await files(), await readFile(path, "utf8")]).toEqual([["balena.img"], "old"]);
    },
  );

  test("of eight saves that want to go on: one does, all end right", async () => {
    await leave(image.subarray(0, imageBytes / 2));
    const saved = await Promise.all(
      Array.from({ length: 8 }, () => saveImage(counting().manager, slug, version, path)),
    );
    expect(saved.filter(({ resumedBytes }) => resumedBytes > 0)).toHaveLength(1);
    expect([await sha256Of(), await files()]).toEqual([sha256, ["balena.img"]]);
  });
});

describe("refuses, asking nobody and writing nothing,", () => {
  test.each([
    ["no path", () => ""],
    ["a number", () => 7 as unknown as string],
    ["a zero byte", () => `${path}\0`],
    ["a directory", () => directory],
    ["a path that ends as a directory's", () => `${path}/`],
    ["no such directory", () => join(directory, "none", "balena.img")],
    ["a file as directory", () => join(directory, "file", "balena.img")],
    ["a link to nothing", () => join(directory, "nothing")],
    ["a device", () => "/dev/null"],
    ["a name too long", () => join(directory, "x".repeat(300))],
  ])("%s", async (_, badPath) => {
    await writeFile(join(directory, "file"), "x");
    await symlink("nowhere", join(directory, "nothing"));
    const failure = await rejection(saveImage(filled.manager, slug, version, badPath()));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(api.counters.requests).toBe(0);
    expect((await files()).sort()).toEqual(["file", "nothing"]);
  });

  test.each([
    { concurrency: 0 },
    { concurrency: 65 },
    { concurrency: 1.5 },
    { fsync: 1 },
    { checkSpace: "no" },
    { range: { start: 1 } },
    { waitUntil: () => {} },
    { cache: "sometimes" },
  ])("the options %o", async (options) => {
    const failure = await rejection(saveImage(filled.manager, slug, version, path, options as object));
    const [name = ""] = Object.keys(options);
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining(name) });
    expect([api.counters.requests, await files()]).toEqual([0, []]);
  });

  test("an aborted signal, with its reason", async () => {
    const reason = new Error("enough");
    const options = { signal: AbortSignal.abort(reason) };
    expect(await rejection(saveImage(filled.manager, slug, version, path, options))).toBe(reason);
    expect(await files()).toEqual([]);
  });
});

async function deadProcessId(): Promise<number | undefined> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid;
}

/** How far the file that is on its way says that it has come. */
async function notedBytes(): Promise<number> {
  const [name = ""] = await files();
  const file = await open(join(directory, name));
  try {
    return (await readProgress(file, imageBytes))?.writtenBytes ?? 0;
  } finally {
    await file.close();
  }
}

/** Starts a process that saves the image, and kills it when it has come so far. */
async function killedAt(bytes: number): Promise<void> {
  const task: SaveTask = { apiUrl: api.url, base, path, deviceType: slug, version, standsAtBytes: bytes };
  const script = fileURLToPath(new URL("./save-image-child.ts", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  for await (const line of createInterface({ input: child.stdout })) {
    if (Number(line) < bytes) continue;
    await expect.poll(notedBytes).toBeGreaterThanOrEqual(bytes - 5 * chunkBytes); // up to four pieces are in the air
    child.kill("SIGKILL");
    break;
  }
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
}
