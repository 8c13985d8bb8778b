// The drop-in's Node stream over a manager of the caller's: events however late, back-pressure, and an end to everything when it is left.
import { execFile } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { createDropIn } from "../../src/adapters/v10/index.ts";
import type { ImageManager, ImageStream, Progress } from "../../src/core/index.ts";
import { rejection, sha256 } from "../support/collect.ts";
import { eventually } from "../support/eventually.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../support/test-manager.ts";

const api = await sharedApi();
const image = api.image(slug, version);
const versionEvent = "balena-image-manager:resolved-version";

function createTestDropIn(options?: TestManagerOptions) {
  const { manager, ...rest } = createTestManager(api, options);
  return { ...createDropIn(manager), manager, ...rest };
}

const drain = async (stream: Readable) => Buffer.concat(await stream.toArray());

test("createDropIn gives any manager the interface of version 10", async () => {
  const { get, cleanCache, resolveVersion, manager } = createTestDropIn();
  expect(await resolveVersion(slug, "~6.0.0")).toBe("6.0.10+rev1");
  expect(sha256(await drain(await get(slug, version)))).toBe(await image.sha256);
  expect(await manager.inspect(slug, version)).toBeDefined();
  await cleanCache();
  expect(await manager.inspect(slug, version)).toBeUndefined();
});

describe("the resolved version is told", () => {
  test("to one who awaits first", async () => {
    const stream = await createTestDropIn().get(slug, "~6.0.0");
    expect(await once(stream, versionEvent)).toEqual(["6.0.10+rev1"]);
    stream.destroy();
  });

  test("to one who awaits through functions of their own", async () => {
    const outer = async () => (await (async () => createTestDropIn().get(slug, version))())!;
    const stream = await outer();
    const listener = vi.fn();
    stream.on(versionEvent, listener);
    await drain(stream);
    expect(listener.mock.calls).toEqual([[version]]);
  });

  test("to one who comes late, and to nobody twice", async () => {
    const stream = await createTestDropIn().get(slug, version);
    const [early, late] = [vi.fn(), vi.fn()];
    stream.on(versionEvent, early);
    await eventually(() => expect(early).toHaveBeenCalled());
    stream.once(versionEvent, late);
    await eventually(() => expect(late).toHaveBeenCalled());
    await drain(stream);
    expect([early.mock.calls, late.mock.calls]).toEqual([[[version]], [[version]]]);
  });
});

describe("progress", () => {
  test("comes with each chunk, before its bytes are all there", async () => {
    const stream = await createTestDropIn().get(slug, version, { fileType: ".img" });
    const states: { received: number; total: number; percentage: number; eta: number }[] = [];
    stream.on("progress", (state) => states.push(state));
    await drain(stream);
    expect(states.map(({ received }) => received)).toEqual(
      Array.from({ length: image.size / chunkBytes }, (_, index) => (index + 1) * chunkBytes),
    );
    for (const { received, total, percentage, eta } of states) {
      expect(total).toBe(image.size);
      expect(percentage).toBeCloseTo((100 * received) / total, 6);
      expect(eta).toBeGreaterThanOrEqual(0);
    }
  });

  test("says seconds to go", async () => {
    const { get } = createDropIn(
      managerOf([{ transferredBytes: 1, totalBytes: 2, percent: 50, etaMs: 2_600 }]),
    );
    expect(await statesOf(await get(slug))).toEqual([
      { percentage: 50, total: 2, received: 1, eta: 3 },
      { percentage: 100, total: 1, received: 1, eta: 0 },
    ]);
  });

  test("is undefined while the size is unknown, and 100 % at the end all the same", async () => {
    const { get } = createDropIn(managerOf([{ transferredBytes: 7 }]));
    expect(await statesOf(await get(slug))).toEqual([
      undefined,
      { percentage: 100, total: 7, received: 7, eta: 0 },
    ]);
  });

  test("is told before the stream's end", async () => {
    const stream = await createTestDropIn().get(slug, version);
    const order: string[] = [];
    stream.on("end", () => order.push("end"));
    stream.on("progress", ({ percentage }) => percentage === 100 && order.push("100 %"));
    await drain(stream);
    expect(order).toEqual(["100 %", "end"]);
  });

  test("a listener that throws is heard of, as with any event", async () => {
    const script = `
      import { createDropIn } from ${JSON.stringify(new URL("../../src/adapters/v10/index.ts", import.meta.url))};
      const get = async (deviceType, version, { onProgress }) => {
        const pull = (controller) => {
          onProgress({ transferredBytes: 1, bytesPerSecond: 1 });
          controller.close();
        };
        const quietly = { pull: (controller) => { try { pull(controller) } catch {} } };
        return Object.assign(new ReadableStream(quietly, { highWaterMark: 0 }), { version, origin: "network" });
      };
      const stream = await createDropIn({ get }).get("x");
      stream.on("progress", () => { throw new Error("the listener's own") }).resume();`;
    const child = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    expect(await rejection(child)).toMatchObject({ stderr: expect.stringContaining("the listener's own") });
  });

  async function statesOf(stream: Readable) {
    const states: unknown[] = [];
    stream.on("progress", (state) => states.push(state));
    await drain(stream);
    return states;
  }

  /** A manager whose one image reports what it is told to. */
  function managerOf(reports: Partial<Progress>[]): ImageManager {
    const get: ImageManager["get"] = async (deviceType, _, { onProgress } = {}) => {
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            const report = reports.shift();
            if (!report) return controller.close();
            onProgress?.({ transferredBytes: 0, bytesPerSecond: 0, ...report });
            controller.enqueue(new Uint8Array(1));
          },
        },
        { highWaterMark: 0 },
      );
      return Object.assign(body, { deviceType, version, mime: "", origin: "network" }) as ImageStream;
    };
    return { get } as ImageManager;
  }
});

describe("back-pressure", () => {
  test("an unread stream takes nothing, a slow one little more than it gave", async () => {
    const { get, manager } = createTestDropIn({ memoryBytes: 4 * chunkBytes });
    await drain(await get(slug, version));
    const pulled = vi.fn();
    const spied: ImageManager = {
      ...manager,
      get: (deviceType, wanted, options) =>
        manager.get(deviceType, wanted, {
          ...options,
          onProgress: ({ transferredBytes }) => pulled(transferredBytes),
        }),
    };
    const stream = await createDropIn(spied).get(slug, version);
    await drain(await get(slug, version)); // a stream made later, read to its end: that one would have pulled too
    expect(pulled).not.toHaveBeenCalled();
    const pieces = stream[Symbol.asyncIterator]();
    await pieces.next();
    await drain(await get(slug, version));
    expect(pulled.mock.lastCall?.[0]).toBeLessThanOrEqual(3 * chunkBytes);
    await pieces.return?.();
  });
});

describe("a stream that is left", () => {
  test.each([
    ["unread", async () => undefined],
    ["half-read", async (stream: Readable) => void (await once(stream, "data"))],
  ])("%s and destroyed ends its download, without an error", async (_, begin) => {
    api.faults.linkBytesPerSecond = 200_000;
    const { get } = createTestDropIn();
    const stream = await get(slug, version);
    stream.on("error", (error) => expect.unreachable(String(error)));
    await begin(stream);
    expect(api.counters.openConnections).toBe(1);
    stream.destroy();
    await once(stream, "close");
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });

  test("by the break of a loop ends its download", async () => {
    api.faults.linkBytesPerSecond = 200_000;
    for await (const _ of await createTestDropIn().get(slug, version)) break;
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });

  test("with an error says that error", async () => {
    const stream = await createTestDropIn().get(slug, version);
    setImmediate(() => stream.destroy(new Error("mine")));
    const [error] = await once(stream, "error");
    expect(error).toMatchObject({ message: "mine" });
  });
});

describe("a download that fails", () => {
  test("while it runs is the stream's error, and there is no end", async () => {
    const { get } = createTestDropIn({ retry: { attempts: 1 } });
    api.faults.lose = { atPercent: 50 };
    const stream = await get(slug, version);
    const ended = vi.fn();
    stream.on("end", ended);
    expect(await rejection(drain(stream))).toMatchObject({ code: "UPSTREAM" });
    expect(ended).not.toHaveBeenCalled();
    expect(stream.destroyed).toBe(true);
  });

  test("cleanly cut short, is an error too and is not kept, as it was in version 10", async () => {
    const { get, manager } = createTestDropIn();
    api.faults.endShort = { atPercent: 50, how: "chunked" };
    expect(await rejection(drain(await get(slug, version)))).toMatchObject({ code: "TRUNCATED_DOWNLOAD" });
    expect(await manager.inspect(slug, version)).toBeUndefined();
  });

  test("leaves the copy whole that was there before", async () => {
    const { get } = createTestDropIn();
    api.faults.etag = "strong";
    await drain(await get(slug, version));
    api.faults.change = { content: true, validators: true };
    api.faults.endShort = { atPercent: 50, how: "chunked" };
    expect(await rejection(drain(await get(slug, version)))).toMatchObject({ code: "TRUNCATED_DOWNLOAD" });
    api.faults.reset();
    api.faults.etag = "strong";
    api.counters.reset();
    expect(sha256(await drain(await get(slug, version)))).toBe(await image.sha256);
    expect(api.counters.transfers).toBe(0);
  });
});
