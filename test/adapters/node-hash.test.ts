// Node's hashing threads: right digests, buffers that come back, and ways out where there are no threads or one dies.
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { markAsUntransferable } from "node:worker_threads";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { nodeHash } from "../../src/adapters/node/index.ts";
import { createImageManager } from "../../src/core/index.ts";
import { collect } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkKeysOf, damage } from "../support/stored-values.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const path = fileURLToPath(new URL("../../src/adapters/node/hash.ts", import.meta.url));

// A thread ends instead of answering as often as this says.
const deaths = vi.hoisted(() => ({ left: 0 }));
vi.mock("node:worker_threads", async (importOriginal) => {
  const threads = await importOriginal<typeof import("node:worker_threads")>();
  class MortalWorker extends threads.Worker {
    override postMessage(...message: [unknown, never]): void {
      if (deaths.left > 0) {
        deaths.left -= 1;
        void this.terminate();
      }
      super.postMessage(...message);
    }
  }
  return { ...threads, Worker: MortalWorker };
});
beforeEach(() => {
  deaths.left = 0;
});

const some = (bytes: number) => new Uint8Array(new Uint8Array(randomBytes(bytes)));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("nodeHash", () => {
  test.each([0, 1, 64 * KiB - 1, 64 * KiB, 4 * MiB + 3])(
    "hashes %i bytes and gives them back",
    async (size) => {
      const bytes = some(size);
      const copy = bytes.slice();
      const hashed = await nodeHash(bytes);
      expect(hashed.sha256).toBe(sha256(copy));
      expect(Buffer.compare(hashed.bytes, copy)).toBe(0);
    },
  );

  test("moves large buffers and does not copy them", async () => {
    const bytes = some(MiB);
    const hashing = nodeHash(bytes);
    expect(bytes.buffer.detached).toBe(true);
    expect((await hashing).bytes.buffer.byteLength).toBe(MiB);
  });

  test.each<[string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>]>([
    ["a part of a larger buffer", (bytes) => bytes.subarray(100)],
    [
      "a buffer that can't be moved",
      (bytes) => {
        markAsUntransferable(bytes.buffer);
        return bytes;
      },
    ],
  ])("hashes %s where it is", async (_, part) => {
    const bytes = part(some(MiB));
    const { sha256: digest, bytes: same } = await nodeHash(bytes);
    expect(digest).toBe(sha256(bytes));
    expect(same).toBe(bytes);
  });

  test("keeps many apart", async () => {
    const all = Array.from({ length: 64 }, (_, index) => some(64 * KiB + index));
    const expected = all.map(sha256);
    const hashed = await Promise.all(all.map((bytes) => nodeHash(bytes)));
    expect(hashed.map((one) => one.sha256)).toEqual(expected);
    expect(hashed.map(({ bytes }) => sha256(bytes))).toEqual(expected);
  });

  test("rejects when its thread dies, and starts another one", async () => {
    deaths.left = 1;
    await expect(nodeHash(some(MiB))).rejects.toThrow("The thread that was hashing ended");
    const bytes = some(MiB);
    const digest = sha256(bytes);
    expect((await nodeHash(bytes)).sha256).toBe(digest);
  });
});

describe("in processes", () => {
  const script = `
    import { nodeHash } from ${JSON.stringify(path)};
    console.log((await nodeHash(new Uint8Array(1024 * 1024))).sha256);`;
  const zeros = sha256(new Uint8Array(MiB));

  test.each<[string, string[]]>([
    ["ends by itself", []],
    ["does without threads if they are not allowed", ["--permission", "--allow-fs-read=*"]],
  ])("%s", async (_, flags) => {
    const args = [...flags, "--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
    expect(stdout.trim()).toBe(zeros);
  });
});

describe("as the manager's hash", async () => {
  const api = await sharedApi({ imageBytes: 8 * MiB, holeFree: true });
  const open = () => {
    const storage = memoryAdapter();
    const events: string[] = [];
    const images = createImageManager({
      ...{ source: balenaApiSource({ apiUrl: api.url }), storage, chunkBytes: MiB, hash: nodeHash },
      onEvent: ({ type }) => events.push(type),
    });
    return { storage, images, events };
  };
  const expected = () => api.image(slug, version).sha256;

  test("it serves the right bytes first and again, and finds damage", async () => {
    const { storage, images, events } = open();
    for (const origin of ["network", "cache"]) {
      const stream = await images.get(slug, version);
      expect(stream.origin).toBe(origin);
      expect((await collect(stream)).sha256).toBe(await expected());
    }
    const { id } = (await images.inspect(slug, version))!;
    const [, second] = await chunkKeysOf(storage, id);
    await damage(storage, second!, "flip");
    expect((await collect(await images.get(slug, version))).sha256).toBe(await expected());
    expect(events).toContain("healed");
    await images.close();
  });

  test("a thread that dies costs a repair, never a wrong byte", async () => {
    const { images } = open();
    await images.prefetch(slug, version);
    deaths.left = 1;
    expect((await collect(await images.get(slug, version))).sha256).toBe(await expected());
    await images.close();
  });

  test("a thread that dies during a transfer ends it with an error, and the next one is whole", async () => {
    const { images } = open();
    deaths.left = 1;
    await expect(images.get(slug, version).then(collect)).rejects.toMatchObject({
      ...{ code: "STORE", cause: { message: "The thread that was hashing ended" } },
    });
    expect((await collect(await images.get(slug, version))).sha256).toBe(await expected());
    await images.close();
  });
});
