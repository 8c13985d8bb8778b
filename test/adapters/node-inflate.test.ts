// Node's fast inflater: as a transform stream of its own, and as the manager's `inflate`.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Gunzip } from "node:zlib";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { nodeInflate } from "../../src/adapters/node/index.ts";
import { createImageManager } from "../../src/core/index.ts";
import { type BalenaApi, startBalenaApi } from "../support/balena-api/index.ts";
import { sha256, sha256ByOwnBuffer } from "../support/collect.ts";
import { eventually } from "../support/eventually.ts";

// The decompressors underneath: only they tell how much is held and whether it is freed.
const made = vi.hoisted(() => [] as Gunzip[]);
vi.mock("node:zlib", async (importOriginal) => {
  const zlib = await importOriginal<typeof import("node:zlib")>();
  return {
    ...zlib,
    createGunzip: (...options: Parameters<typeof zlib.createGunzip>) => {
      const gunzip = zlib.createGunzip(...options);
      made.push(gunzip);
      return gunzip;
    },
  };
});
beforeEach(() => void made.splice(0));

const MiB = 1024 * 1024;

describe("nodeInflate", () => {
  const image = Buffer.concat([randomBytes(3 * MiB), Buffer.alloc(5 * MiB)]);
  const file = gzipSync(image, { level: 1 });

  test.each([1009, 64 * 1024, file.length])(
    "inflates a file that comes in pieces of %i bytes",
    async (size) => {
      expect(image.equals(await inflate(cut(file, size)))).toBe(true);
      expect(made[0]?.closed).toBe(true);
    },
  );

  test("its pieces are plain Uint8Arrays", async () => {
    for await (const piece of inflated([gzipSync("hello")])) expect(piece.constructor).toBe(Uint8Array);
    expect.assertions(1);
  });

  test.each([1009, 64 * 1024, file.length])(
    "its pieces are their reader's own (%i bytes at a time)",
    async (size) => {
      const hash = createHash("sha256");
      for await (const piece of inflated(cut(file, size))) {
        hash.update(piece);
        (piece.buffer as ArrayBuffer).transfer(0); // the next one must not lack it
      }
      expect(hash.digest("hex")).toBe(sha256(image));
    },
  );

  test("can be read into buffers of the reader's own", async () => {
    expect(await sha256ByOwnBuffer(inflated(cut(file, 64 * 1024)))).toBe(sha256(image));
  });

  test.each([0, 1, 9, 17, 1000, file.length - 1])(
    "a file of only %i bytes is an error on both sides",
    async (end) => {
      const stream = nodeInflate();
      const reading = new Response(stream.readable as ReadableStream<Uint8Array<ArrayBuffer>>).bytes();
      const writing = writeAll(stream, cut(file.subarray(0, end), 64 * 1024));
      await expect(Promise.allSettled([reading, writing])).resolves.toMatchObject([
        { status: "rejected", reason: { code: "Z_BUF_ERROR" } },
        { status: "rejected", reason: { code: "Z_BUF_ERROR" } },
      ]);
      expect(made[0]?.closed).toBe(true);
    },
  );

  test.each([
    ["zeros", Buffer.alloc(4)],
    ["junk", Buffer.from("junk")],
    ["half a header", Buffer.from([0x1f, 0x8b])],
  ])("%s after the end are an error, in the same piece or the next", async (_, junk) => {
    const small = gzipSync("hello");
    await expect(inflate([Buffer.concat([small, junk])])).rejects.toThrow();
    await expect(inflate([small, junk])).rejects.toThrow();
  });

  test("what is no gzip, or damaged, is an error", async () => {
    const damaged = Buffer.from(file);
    damaged[damaged.length - 6]! ^= 1; // the checksum
    await expect(inflate([Buffer.from("<html>no image</html>")])).rejects.toThrow("header");
    await expect(inflate([damaged])).rejects.toThrow("data check");
  });

  test("holds little ahead of a reader that comes late, or reads once", async () => {
    const stream = nodeInflate();
    const writer = stream.writable.getWriter();
    const reader = stream.readable.getReader();
    const writing = writer.write(gzipSync(Buffer.alloc(64 * MiB))); // 64 KiB that become 64 MiB
    expect(await stateAfter(writing, 100)).toBe("pending");
    expect(made[0]?.readableLength).toBeLessThanOrEqual(2 * MiB);
    let size = (await reader.read()).value?.length ?? 0;
    expect(await stateAfter(writing, 200)).toBe("pending");

    reader.releaseLock();
    const closing = writing.then(() => writer.close());
    for await (const piece of stream.readable) size += piece.length;
    expect(size).toBe(64 * MiB);
    await closing;
  });

  test("aborting the input frees it, errors the output and settles a write that waits for a reader", async () => {
    const stream = nodeInflate();
    const writer = stream.writable.getWriter();
    const reason = new Error("enough");
    const writing = writer.write(gzipSync(Buffer.alloc(64 * MiB)));
    writing.catch(() => undefined);
    expect(await stateAfter(writing, 50)).toBe("pending");
    await writer.abort(reason);
    await expect(writing).rejects.toBe(reason);
    await expect(stream.readable.getReader().read()).rejects.toBe(reason);
    expect(made[0]?.closed).toBe(true);
  });

  test("cancelling the output frees it and errors the input", async () => {
    const stream = nodeInflate();
    const writer = stream.writable.getWriter();
    const writing = writer.write(gzipSync(Buffer.alloc(64 * MiB)));
    writing.catch(() => undefined);
    const reader = stream.readable.getReader();
    await reader.read();
    const closed = once(made[0]!, "close").catch(() => undefined);
    await reader.cancel("enough");
    await expect(writing).rejects.toMatchObject({ cause: "enough" });
    await expect(writer.write(file)).rejects.toMatchObject({ cause: "enough" });
    await closed;
    expect(made[0]?.destroyed).toBe(true);
  });
});

describe("as the manager's inflate", () => {
  let api: BalenaApi;
  beforeEach(async () => {
    api = await startBalenaApi({ assets: false, imageBytes: 8 * MiB });
  });
  afterEach(() => api.close());

  const manager = () =>
    createImageManager({
      source: balenaSdkSource({ apiUrl: api.url }),
      storage: memoryAdapter(),
      chunkBytes: MiB,
      inflate: nodeInflate,
      retry: { attempts: 2, minDelayMs: 1, maxDelayMs: 1 },
    });

  test.each([1, 3])("a file of %i members comes out right, and every inflater is freed", async (members) => {
    api.faults.gzipMembers = members;
    await using images = manager();
    expect(await sha256Of(await images.get("intel-nuc", "6.3.2"))).toBe(
      await api.image("intel-nuc", "6.3.2").sha256,
    );
    expect(made).toHaveLength(members);
    expect(made.every((gunzip) => gunzip.closed)).toBe(true);
  });

  test("a file that always ends short, cleanly, is TRUNCATED_DOWNLOAD, stored nowhere and leaks nothing", async () => {
    api.faults.endShort = { how: "gzip-file", atPercent: 50 };
    await using images = manager();
    const stream = await images.get("intel-nuc", "6.3.2");
    await expect(sha256Of(stream)).rejects.toMatchObject({ code: "TRUNCATED_DOWNLOAD" });
    expect(await images.inspect("intel-nuc", "6.3.2")).toBeUndefined();
    expect(made.length).toBeGreaterThan(0);
    expect(made.every((gunzip) => gunzip.destroyed)).toBe(true);
  });

  test("a reader that leaves half-way leaves no inflater behind", async () => {
    await using images = manager();
    for await (const _ of await images.get("intel-nuc", "6.3.2")) break;
    await images.close();
    await eventually(() => expect(made.map(({ closed }) => closed)).toEqual([true]));
  });
});

async function inflate(pieces: Iterable<Uint8Array>): Promise<Buffer> {
  const output: Uint8Array[] = [];
  for await (const piece of inflated(pieces)) output.push(piece);
  return Buffer.concat(output);
}

function inflated(pieces: Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  const queue = pieces[Symbol.iterator]();
  const input = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = queue.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  return input.pipeThrough(nodeInflate());
}

function cut(bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / pieceBytes);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes));
}

async function writeAll(
  stream: TransformStream<Uint8Array, Uint8Array>,
  pieces: Uint8Array[],
): Promise<void> {
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => undefined);
  for (const piece of pieces) await writer.write(piece);
  await writer.close();
}

/** Whether a promise has settled after a while. */
async function stateAfter(promise: Promise<unknown>, delayMs: number): Promise<"pending" | "settled"> {
  const later = new Promise<"pending">((resolve) => setTimeout(() => resolve("pending"), delayMs));
  return Promise.race([promise.then(() => "settled" as const), later]);
}

async function sha256Of(stream: ReadableStream<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of stream) hash.update(piece);
  return hash.digest("hex");
}
