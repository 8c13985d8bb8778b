// Saving images to a disk that fails or is full, and what is done to it in which order: calls of node:fs/promises are watched and made to fail.
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { saveImage } from "../../src/adapters/node/save/save-image.ts";
import { rejection, sha256 } from "../support/collect.ts";
import { saveTargets } from "../support/save-drafts.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

type Operation = "open" | "write" | "read" | "truncate" | "sync" | "close" | "rename" | "statfs";
const disk = vi.hoisted(() => ({
  calls: [] as string[],
  /** The operation that fails, at its n-th call, with that code. */
  fault: undefined as { operation: string; code: string; at: number } | undefined,
  /** Bytes that each write takes at the most; how long it takes; how many there were at once. */
  writeBytes: Number.POSITIVE_INFINITY,
  writeMs: 0,
  writing: 0,
  mostWriting: 0,
  reading: 0,
  freeBlocks: undefined as number | undefined,
}));

// A note of the progress, no piece.
const recordBytes = 16;

vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const note = (operation: string) => {
    disk.calls.push(operation);
    const { fault } = disk;
    if (fault?.operation !== operation || --fault.at > 0) return;
    throw Object.assign(new Error(`${fault.code}: it was to fail`), { code: fault.code });
  };
  const open: typeof real.open = async (...from) => {
    note("open");
    const file = await real.open(...from);
    const { read, truncate, sync, close } = file;
    const write = file.write as (...args: unknown[]) => Promise<unknown>;
    return Object.assign(file, {
      async write(bytes: Uint8Array, at: number, length: number, position: number) {
        if (length === recordBytes) return write.call(file, bytes, at, length, position);
        note("write");
        disk.writing += 1;
        disk.mostWriting = Math.max(disk.mostWriting, disk.writing);
        await new Promise((resolve) => setTimeout(resolve, disk.writeMs)); // a slow disk, if the test says so
        disk.writing -= 1;
        return write.call(file, bytes, at, Math.min(length, disk.writeBytes), position);
      },
      async read(...args: never[]) {
        note("read");
        disk.reading += 1;
        try {
          return await Reflect.apply(read, file, args);
        } finally {
          disk.reading -= 1;
        }
      },
      async truncate(bytes: number) {
        note("truncate");
        return truncate.call(file, bytes);
      },
      async sync() {
        note((await file.stat()).isDirectory() ? "sync directory" : "sync");
        return sync.call(file);
      },
      async close() {
        await close.call(file); // whatever it says, it is closed
        note("close");
      },
    });
  };
  const rename: typeof real.rename = async (...from) => {
    note("rename");
    return real.rename(...from);
  };
  const statfs = async (path: string) => {
    note("statfs");
    const facts = await real.statfs(path);
    return disk.freeBlocks === undefined ? facts : { ...facts, bsize: 4096, bavail: disk.freeBlocks };
  };
  return { ...real, open, rename, statfs };
});

const imageBytes = 4 * 1024 * 1024;
const api = await sharedApi({ imageBytes });
const { next } = await saveTargets();
const { manager } = createTestManager(api, { freshness: { maxAgeMs: 3600e3 } });
await manager.prefetch(slug, version);

let directory = "";
let path = "";
beforeEach(async () => {
  ({ directory, path } = await next());
  await writeFile(path, "old");
  Object.assign(disk, { calls: [], fault: undefined, freeBlocks: undefined, mostWriting: 0 });
  Object.assign(disk, { writeBytes: Number.POSITIVE_INFINITY, writeMs: 0 });
});

const files = () => readdir(directory);
const save = (options = {}) => saveImage(manager, slug, version, path, options);
const isRight = async () => sha256(await readFile(path)) === (await api.image(slug, version).sha256);

describe("a disk that fails", () => {
  test.each<[Operation, string, number]>([
    ["open", "EACCES", 1],
    ["open", "EROFS", 1],
    ["write", "ENOSPC", 1],
    ["write", "ENOSPC", 5],
    ["write", "EIO", 9],
    ["truncate", "EFBIG", 1],
    ["sync", "EIO", 1],
    ["close", "EDQUOT", 1],
    ["rename", "EPERM", 1],
  ])("in %s (%s, call %i) rejects, leaves the old file and nothing else", async (operation, code, at) => {
    disk.fault = { operation, code, at };
    const failure = await rejection(save({ fsync: true }));
    expect(failure).toMatchObject({ code: "STORE", cause: { code }, message: expect.stringContaining(path) });
    expect([await files(), await readFile(path, "utf8")]).toEqual([["balena.img"], "old"]);
    disk.fault = undefined;
    expect(await save()).toMatchObject({ resumedBytes: 0 });
    expect(await isRight()).toBe(true);
  });

  test("in reading back what was left", async () => {
    await aborted();
    disk.fault = { operation: "read", code: "EIO", at: 3 };
    expect(await rejection(save())).toMatchObject({ code: "STORE", cause: { code: "EIO" } });
    expect(disk.calls.at(-1)).toBe("close");
    expect([await files(), await readFile(path, "utf8")]).toEqual([["balena.img"], "old"]);
    expect([disk.reading, disk.calls.at(-1)]).toEqual([0, "close"]); // nothing went on reading
  });

  test("by writing less than it was asked to is asked again", async () => {
    disk.writeBytes = 100_000;
    await save();
    expect(await isRight()).toBe(true);
  });
});

describe("room", () => {
  const enough = imageBytes / 4096;

  test("too little is known before the first byte", async () => {
    disk.freeBlocks = enough - 1;
    expect(await rejection(save())).toMatchObject({ code: "STORE", cause: { code: "ENOSPC" } });
    expect(disk.calls).toEqual(["statfs"]);
    expect(await files()).toEqual(["balena.img"]);
    for (const [blocks, options] of [
      [enough, {}],
      [0, { checkSpace: false }],
    ] as const) {
      disk.freeBlocks = blocks;
      await save(options);
      expect(await isRight()).toBe(true);
    }
  });

  test("what is there already needs none; where the rest has none, it stays", async () => {
    const written = await aborted();
    disk.freeBlocks = 1;
    expect(await rejection(save())).toMatchObject({ cause: { code: "ENOSPC" } });
    disk.freeBlocks = (imageBytes - written) / 4096;
    expect((await save()).resumedBytes).toBeGreaterThan(0);
    expect(await isRight()).toBe(true);
  });

  test("a disk that says nothing of it is no reason to refuse", async () => {
    disk.fault = { operation: "statfs", code: "ENOSYS", at: 1 };
    await save();
    expect(await isRight()).toBe(true);
  });
});

test.each([1, 3])("no more than %i pieces are written at once, and so many are", async (concurrency) => {
  disk.writeMs = 20;
  await save({ concurrency });
  expect(disk.mostWriting).toBe(concurrency);
  expect(await isRight()).toBe(true);
});

test("a write that fails is waited out with the others before the file is closed", async () => {
  disk.writeMs = 20;
  disk.fault = { operation: "write", code: "EIO", at: 3 };
  await rejection(save());
  expect([disk.writing, disk.calls.at(-1)]).toEqual([0, "close"]);
});

test("fsync flushes the file before it gets its name, and the directory after; else neither is", async () => {
  await save({ fsync: true });
  const flushing = disk.calls.filter((call) => /sync|rename|close/.test(call));
  expect(flushing).toEqual(["sync", "close", "rename", "sync directory", "close"]);
  disk.calls = [];
  await save();
  expect(disk.calls.filter((call) => call.startsWith("sync"))).toEqual([]);
});

/** Leaves a save that was aborted half-way; tells how many bytes it had at least. */
async function aborted(): Promise<number> {
  const controller = new AbortController();
  const onProgress = ({ transferredBytes }: { transferredBytes: number }) => {
    if (transferredBytes >= imageBytes / 2) controller.abort();
  };
  await rejection(save({ onProgress, signal: controller.signal, concurrency: 1 }));
  const [name = ""] = (await files()).filter((file) => file !== "balena.img");
  expect((await stat(join(directory, name))).size).toBeGreaterThan(imageBytes);
  return imageBytes / 2 - 2 * chunkBytes;
}
