// Whose the pieces of a body are: what is the transfer's alone is freed at once, what may be somebody else's stays as it is.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { saveImage } from "../../src/adapters/node/index.ts";
import type { GetOptions, ImageManager } from "../../src/core/index.ts";
import { detachIfWhole } from "../../src/core/memory/free.ts";
import { bytesOf, sha256 } from "../support/collect.ts";
import { fileResponse, gzip, noise, scriptedUpstream } from "../support/scripted-upstream.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../support/test-manager.ts";

const piece = noise(10_000);
const count = 100;
const content = new Uint8Array(await new Blob(Array.from({ length: count }, () => piece)).arrayBuffer());
const raw = { fileType: ".img" } as const;

const directory = await mkdtemp(join(tmpdir(), "piece-memory-"));
afterAll(() => rm(directory, { recursive: true, force: true }));

const freeing = vi.spyOn(ArrayBuffer.prototype, "transfer");
afterEach(() => void freeing.mockClear());

/** How many pieces were freed. */
const freed = () => {
  expect(freeing.mock.calls.every(([left]) => left === 0)).toBe(true);
  return freeing.mock.calls.length;
};

function managerOver(respond: () => Response, options: TestManagerOptions = {}): ImageManager {
  const { source, fetch } = scriptedUpstream({ respond });
  return createTestManager({ url: "http://127.0.0.1:1" }, { source, fetch, ...options }).manager;
}

const get = async (manager: ImageManager, options: GetOptions = raw) =>
  bytesOf(await manager.get("intel-nuc", "1.0.0", options));

/** A body in pieces, with a Content-Length. */
function piecewise(pieceOf: () => Uint8Array<ArrayBuffer>, type?: "bytes"): Response {
  let left = count;
  const pull = (controller: { enqueue(piece: Uint8Array<ArrayBuffer>): void; close(): void }) => {
    if (left-- > 0) controller.enqueue(pieceOf());
    else controller.close();
  };
  const body = type ? new ReadableStream({ type, pull }) : new ReadableStream({ pull });
  return new Response(body, { headers: { "content-length": String(content.length) } });
}

describe("pieces of a byte stream", () => {
  test("are freed one by one, and the image is whole", async () => {
    expect(await get(managerOver(() => piecewise(() => piece.slice(), "bytes")))).toEqual(content);
    expect(freed()).toBe(count);
  });

  test("are what the runtime's fetch brings", async () => {
    const api = await sharedApi({ imageBytes: 16 * chunkBytes });
    const { manager } = createTestManager(api);
    await manager.prefetch(slug, version, raw);
    expect(freed()).toBeGreaterThan(1);
    expect(await manager.verify()).toMatchObject({ damaged: [] });
  });

  test("that is read twice are each reader's own", async () => {
    const copies: Promise<Uint8Array>[] = [];
    const manager = managerOver(() => {
      const response = piecewise(() => piece.slice(), "bytes");
      copies.push(response.clone().bytes());
      return response;
    });
    expect(await get(manager)).toEqual(content);
    expect(await copies[0]).toEqual(content);
  });

  test("stay for as long as an inflater may look at them", async () => {
    const file = gzip(content);
    const seen: Uint8Array[] = [];
    const inflate = () => {
      const watching = new TransformStream<Uint8Array, Uint8Array>({
        transform(bytes, controller) {
          seen.push(bytes);
          controller.enqueue(bytes);
        },
      });
      const inflater = new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>;
      return { writable: watching.writable, readable: watching.readable.pipeThrough(inflater) };
    };
    expect(
      await get(
        managerOver(() => fileResponse(file), { inflate }),
        {},
      ),
    ).toEqual(content);
    expect(seen.reduce((sum, { length }) => sum + length, 0)).toBe(file.length);
  });
});

test("what saveImage has written is freed, and what verify has seen", async () => {
  const api = await sharedApi({ imageBytes: 16 * chunkBytes });
  const { manager } = createTestManager(api, { freshness: { maxAgeMs: 3600e3 } });
  await manager.prefetch(slug, version);
  freeing.mockClear();
  const { chunks } = await manager.verify();
  expect(freed()).toBe(chunks);
  freeing.mockClear();
  const { path } = await saveImage(manager, slug, version, join(directory, "balena.img"));
  expect(freed()).toBe(16);
  expect(sha256(await readFile(path))).toBe(await api.image(slug, version).sha256);
});

test("of chunks at the edges of a range only what was asked for stays", async () => {
  const api = await sharedApi({ imageBytes: 16 * chunkBytes });
  const { manager } = createTestManager(api, { freshness: { maxAgeMs: 3600e3 } });
  await manager.prefetch(slug, version);
  freeing.mockClear();
  const range = { start: chunkBytes + 10, end: 4 * chunkBytes - 10 };
  const part = await bytesOf(await manager.get(slug, version, { range }));
  expect(freed()).toBe(2);
  const whole = await bytesOf(await manager.get(slug, version));
  expect(part).toEqual(whole.subarray(range.start, range.end));
  expect(sha256(whole)).toBe(await api.image(slug, version).sha256);
});

test("pieces of another stream may be somebody's: one that is used again and again comes through each time", async () => {
  expect(await get(managerOver(() => piecewise(() => piece)))).toEqual(content);
  expect(piece.length).toBe(10_000);
  expect(freed()).toBe(0);
});

test("a part of a larger buffer is left alone", () => {
  const pool = new Uint8Array(100).fill(1);
  detachIfWhole(pool.subarray(0, 50));
  detachIfWhole(pool.subarray(50));
  expect(pool).toEqual(new Uint8Array(100).fill(1));
  detachIfWhole(pool);
  expect(pool.length).toBe(0);
});

test("a runtime that can't free does without", async () => {
  const { transfer } = ArrayBuffer.prototype;
  try {
    Object.assign(ArrayBuffer.prototype, { transfer: undefined });
    expect(await get(managerOver(() => piecewise(() => piece.slice(), "bytes")))).toEqual(content);
  } finally {
    Object.assign(ArrayBuffer.prototype, { transfer });
  }
});

test("a body that trickles is not idle, however long the whole takes", async () => {
  const idleTimeoutMs = 250;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const respond = () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await vi.advanceTimersByTimeAsync(100);
        sent += 1;
        controller.enqueue(piece);
        if (sent === 8) controller.close();
      },
    });
    return new Response(body, { headers: { "content-length": String(8 * piece.length) } });
  };
  const manager = managerOver(respond, { retry: { attempts: 1, idleTimeoutMs } });
  expect((await get(manager)).length).toBe(8 * piece.length);
});
