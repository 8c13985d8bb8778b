/** Lies and oddities that no loopback API tells: sizes that are called exact, bodies that are something else, sources that misbehave. */
import { setImmediate as turn } from "node:timers/promises";
import { inspect } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { GetOptions, ImageFile, ImageSource, StoreDriver } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import {
  chunkedResponse,
  fileResponse,
  gzip,
  noise,
  scriptedUpstream,
  type UpstreamScript,
} from "../../support/scripted-upstream.ts";
import { chunkKeysOf, damage } from "../../support/stored-values.ts";
import {
  chunkBytes,
  createTestManager,
  quickRetry,
  type TestManagerOptions,
} from "../../support/test-manager.ts";

const slug = "intel-nuc";
const content = noise(3 * chunkBytes + 17);
const nowhere = { url: "http://127.0.0.1:1" };

function managerOver(script: UpstreamScript, options: TestManagerOptions = {}) {
  const upstream = scriptedUpstream(script);
  const { source, fetch } = upstream;
  return { ...createTestManager(nowhere, { source, fetch, ...options }), downloads: upstream.downloads };
}

const respond = () => fileResponse(gzip(content), { etag: '"a"' });

describe("a Content-Length that the next answer contradicts", () => {
  const announced = (length: number) => fileResponse(content, { "content-length": String(length) });

  test.each([
    ["more", content.length + 1_000],
    ["less", content.length - 1_000],
  ])("%s than comes: the stream that promised it fails, the next get is right", async (_, length) => {
    const { manager } = managerOver({
      respond: ({ count }) => (count === 0 ? announced(length) : fileResponse(content)),
      request: { gzip: false },
    });
    const read = async () => {
      const stream = await manager.get(slug);
      expect(stream.size).toBe(length);
      return bytesOf(stream);
    };
    expect(await rejection(read())).toMatchObject({
      code: expect.stringMatching(/^(IMAGE_CHANGED|UPSTREAM)$/),
    });
    const next = await manager.get(slug, undefined, { cache: "reload" });
    expect(next.size).toBe(content.length);
    expect(await bytesOf(next)).toEqual(content);
  });

  test("a range that lies in both sizes is what was promised", async () => {
    const { manager } = managerOver({
      respond: ({ count }) => (count === 0 ? announced(content.length + 1_000) : fileResponse(content)),
      request: { gzip: false },
    });
    const range = { start: 5, end: chunkBytes + 5 };
    const stream = await manager.get(slug, undefined, { range });
    expect(await bytesOf(stream)).toEqual(content.slice(range.start, range.end));
  });
});

describe("a size that the source calls exact", () => {
  test("proves a body that nothing else proves", async () => {
    const { manager } = managerOver({
      respond: () => chunkedResponse(content),
      request: { gzip: false, exactBytes: content.length },
    });
    const stream = await manager.get(slug);
    expect(stream.size).toBe(content.length);
    expect(await bytesOf(stream)).toEqual(content);
    expect(await stream.committed()).toMatchObject({ size: content.length });
  });

  test.each([
    [
      "more than there is",
      content.length + 1,
      { code: "TRUNCATED_DOWNLOAD", expectedBytes: content.length + 1 },
    ],
    ["less than there is", content.length - 1, { code: "UPSTREAM", unavailable: false }],
    ["nothing", 0, { code: "UPSTREAM", unavailable: false }],
  ])("that is %s: a typed error, nothing committed", async (_, exactBytes, facts) => {
    const { manager } = managerOver({ respond, request: { exactBytes } });
    const stream = await manager.get(slug);
    expect(await rejection(bytesOf(stream))).toMatchObject(facts);
    await expect(manager.inspect(slug, "1.0.0")).resolves.toBeUndefined();
  });
});

describe("an estimate", () => {
  test.each<[string, ImageFile["estimatedBytes"]]>([
    ["wrong", 12],
    ["asked for and wrong", async () => 1e15],
    ["asked for and failing", () => Promise.reject(new Error("no idea"))],
    [
      "asked for and throwing",
      () => {
        throw new Error("no idea");
      },
    ],
    ["asked for and never answered", () => new Promise(() => {})],
  ])("that is %s changes nothing but progress", async (_, estimatedBytes) => {
    const { manager } = managerOver({ respond, request: { estimatedBytes } });
    const reports: number[] = [];
    const onProgress = ({ transferredBytes }: { transferredBytes: number }) => reports.push(transferredBytes);
    expect(await bytesOf(await manager.get(slug, "latest", { onProgress }))).toEqual(content);
    expect(reports.at(-1)).toBe(content.length);
    await manager.prefetch(slug, "latest", { cache: "reload", onProgress });
    expect(reports.at(-1)).toBe(content.length);
    expect(reports.length).toBeGreaterThan(5);
  });

  test("that never comes holds up neither a bounded store nor close()", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const asked = Promise.withResolvers<void>();
      const estimatedBytes = () => {
        asked.resolve();
        return new Promise<never>(() => {});
      };
      const { source, fetch } = scriptedUpstream({ respond, request: { estimatedBytes } });
      const { manager } = createTestManager(nowhere, { source, fetch, maxBytes: 10 * content.length });
      const fetching = manager.prefetch(slug);
      await asked.promise;
      await vi.advanceTimersByTimeAsync(3_000);
      expect(await fetching).toMatchObject({ size: content.length });
      await manager.close();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a body that is something else", () => {
  test("an error page with status 200 is no image", async () => {
    const page = new TextEncoder().encode("<html>Maintenance</html>".repeat(20));
    const { manager, downloads } = managerOver({ respond: () => fileResponse(page) });
    expect(await rejection(manager.get(slug).then(bytesOf))).toMatchObject({
      code: "UPSTREAM",
      message: expect.stringContaining("it is a text"),
    });
    expect(downloads).toHaveLength(3);
  });

  test("a .gz that is labelled as a coding, and undone by fetch, is taken raw but not proven", async () => {
    // What `fetch` leaves of it: the raw image, the header still there, the length that of the coded body.
    const headers = { "content-encoding": "gzip", "content-length": "12345" };
    const { manager, events } = managerOver({ respond: () => new Response(content, { headers }) });
    const stream = await manager.get(slug);
    expect(await bytesOf(stream)).toEqual(content);
    expect(await rejection(stream.committed())).toMatchObject({ code: "TRUNCATED_DOWNLOAD" });
    expect(events.types()).toContain("unproven");
  });

  test.each([204, 206, 300, 304, 418])("status %d, unasked, is a typed error", async (status) => {
    const { manager } = managerOver({ respond: () => new Response(null, { status }) });
    expect(await rejection(manager.get(slug))).toMatchObject({ code: "UPSTREAM", status });
  });

  test("a redirect from https to http is refused, even to the same host", async () => {
    const headers = { location: "http://api.example.com/a" };
    const { manager } = managerOver({ respond: () => new Response(null, { status: 302, headers }) });
    expect(await rejection(manager.get(slug))).toMatchObject({
      ...{ code: "UPSTREAM", unavailable: false },
      message: expect.stringContaining("from https to http"),
    });
  });

  test.each(["ftp://files.example.com/a", "http://", "javascript:alert(1)"])(
    "a redirect to %s is refused",
    async (location) => {
      const { manager } = managerOver({
        respond: () => new Response(null, { status: 302, headers: { location } }),
      });
      expect(await rejection(manager.get(slug))).toMatchObject({ code: "UPSTREAM", unavailable: false });
    },
  );
});

describe("a source that lies", () => {
  test.each<[string, Partial<ImageSource>]>([
    ["a slug that is a path", { resolveDeviceType: async () => "../../etc" }],
    ["no slug", { resolveDeviceType: async () => undefined as never }],
    ["a list that is none", { versions: async () => "1.0.0" as never }],
    ["a list of other things", { versions: async () => [{ version: 1 }] as never }],
    ["no list", { versions: async () => null as never }],
    ["no request", { request: async () => undefined as never }],
    ["a request without URL", { request: async () => ({ gzip: true }) as never }],
    ["a size below zero", { request: async () => ({ url: "http://a/", gzip: true, exactBytes: -1 }) }],
    [
      "a size that is half a byte",
      { request: async () => ({ url: "http://a/", gzip: true, exactBytes: 0.5 }) },
    ],
    ["a file: URL", { request: async () => ({ url: "file:///etc/passwd", gzip: true }) }],
    ["a scope that is none", { scope: async () => 5 as never }],
  ])("with %s: UPSTREAM, not retried", async (_, source) => {
    const { manager, downloads } = managerOver({ respond, source });
    expect(await rejection(manager.get(slug))).toMatchObject({ code: "UPSTREAM", unavailable: false });
    expect(downloads).toHaveLength(0);
  });

  test("with errors of its own: they become UPSTREAM, kept as cause", async () => {
    const cause = new RangeError("what?");
    const { manager } = managerOver({ respond, source: { versions: () => Promise.reject(cause) } });
    expect(await rejection(manager.get(slug))).toMatchObject({ code: "UPSTREAM", cause });
    const throwing = managerOver({
      respond,
      source: {
        versions: () => {
          throw cause;
        },
      },
    }).manager;
    expect(await rejection(throwing.get(slug))).toMatchObject({ code: "UPSTREAM", cause });
  });

  test("with versions that are none: they are passed over", async () => {
    const version = (text: string) => ({ version: text, line: "default" as const, draft: false });
    const versions = ["../../x", "", "banana", "1.0.0"].map(version);
    const { manager } = managerOver({ respond, versions });
    expect(await manager.resolve(slug)).toBe("1.0.0");
    await expect(manager.resolve(slug, "../../x")).rejects.toMatchObject({ code: "INVALID_VERSION" });
  });
});

/** Hands out pieces one by one and then fails, ends, or falls silent. */
function bodyOf(pieces: readonly Uint8Array[], then: "fail" | "end" | "silence", headers: HeadersInit = {}) {
  const left = [...pieces];
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = left.shift();
        if (piece) controller.enqueue(piece);
        else if (then === "end") controller.close();
        // Later: an error takes back what is still in the queue.
        else if (then === "fail") setTimeout(() => controller.error(new Error("reset")), 50);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body as BodyInit, { headers });
}

describe("a file that starts over", () => {
  const zeros = new Uint8Array(chunkBytes);
  const wholeChunks = content.subarray(0, 2 * chunkBytes).slice();
  const hole = new Uint8Array(Buffer.concat([wholeChunks, zeros]));

  test.each([
    ["by whole chunks", content.subarray(0, 3 * chunkBytes), wholeChunks],
    ["within a hole", hole, hole.slice(0, 2 * chunkBytes + 1000)],
  ])(
    "and is shorter than what was delivered, %s: IMAGE_CHANGED, not a mixture",
    async (_, begun, shorter) => {
      const respond = ({ count }: { count: number }) =>
        count === 0 ? bodyOf([begun], "fail") : fileResponse(shorter);
      const { manager } = managerOver({ respond, request: { gzip: false } });
      const stream = await manager.get(slug);
      expect(await rejection(bytesOf(stream))).toMatchObject({ code: "IMAGE_CHANGED" });
      expect(await manager.inspect(slug, "1.0.0")).toBeUndefined();
      expect(await bytesOf(await manager.get(slug))).toEqual(shorter);
    },
  );

  test("a cached hole that can only be had shorter: IMAGE_CHANGED, not a silent end", async () => {
    const mixed = hole.slice();
    let file: Uint8Array<ArrayBuffer> = mixed;
    const options = { freshness: { maxAgeMs: 60_000 } };
    const kit = managerOver({ respond: () => fileResponse(file), request: { gzip: false } }, options);
    const { id } = await kit.manager.prefetch(slug);
    const [, second] = await chunkKeysOf(kit.storage as StoreDriver, id);
    await damage(kit.storage as StoreDriver, second!, "missing");
    file = mixed.slice(0, 2 * chunkBytes + 1000);
    const stream = await kit.manager.get(slug);
    expect(stream.size).toBe(mixed.length);
    expect(await rejection(bytesOf(stream))).toMatchObject({ code: "IMAGE_CHANGED" });
  });
});

describe("a content coding", () => {
  const coded = (body: Uint8Array<ArrayBuffer>, coding = "gzip") =>
    new Response(body, { headers: { "content-encoding": coding, "content-length": String(body.length) } });

  // As Deno's `fetch` leaves it.
  test.each<[string, GetOptions, Uint8Array<ArrayBuffer>]>([
    ["over a .gz", {}, gzip(gzip(content))],
    ["that is a .gz itself", {}, gzip(content)],
    ["over an .img", { fileType: ".img" }, gzip(content)],
    ["over a .zip", { fileType: ".zip" }, gzip(content)],
  ])("%s that fetch has not undone is undone, and proven by its trailer", async (_, options, body) => {
    for (const coding of ["gzip", "X-GZIP", "identity, gzip"]) {
      const { manager } = managerOver({ respond: () => coded(body, coding) });
      const stream = await manager.get(slug, "1.0.0", options);
      expect(await bytesOf(stream)).toEqual(content);
      expect(await stream.committed()).toMatchObject({ size: content.length });
    }
  });

  test.each<[string, GetOptions]>([
    ["br", { fileType: ".img" }],
    ["gzip, gzip", {}],
    ["gzip, br", {}],
    ["deflate", { fileType: ".img" }],
    ["zstd", {}],
    ["made-up", { fileType: ".zip" }],
    ["gzip", { fileType: ".gz" }],
  ])("%s, with %o, is refused: nobody can tell what fetch did about it", async (coding, options) => {
    const { manager, events } = managerOver({ respond: () => coded(gzip(content), coding) });
    const failure = await rejection(manager.get(slug, "1.0.0", options).then(bytesOf));
    expect(failure).toMatchObject({
      code: "UPSTREAM",
      message: expect.stringContaining(`coding "${coding}"`),
    });
    expect(events.types()).not.toContain("committed");
  });

  test("that only names the framing of an upload to S3 is none", async () => {
    const { manager } = managerOver({ respond: () => coded(gzip(content), "aws-chunked") });
    const stream = await manager.get(slug, "1.0.0");
    expect(await bytesOf(stream)).toEqual(content);
    expect(await stream.committed()).toBeDefined();
  });

  test("that brings a gzip file byte by byte is inflated all the same", async () => {
    const file = gzip(content);
    const pieces = [file.slice(0, 0), file.slice(0, 1), file.slice(1, 2), file.slice(2)];
    const { manager } = managerOver({ respond: () => bodyOf(pieces, "end", { "content-encoding": "gzip" }) });
    expect(await bytesOf(await manager.get(slug))).toEqual(content);
  });
});

describe("a transfer that is ended", () => {
  test("in a body without a length is not taken for one that came to its end", async () => {
    const respond = () => bodyOf([content], "silence");
    const { manager, events } = managerOver({ respond, request: { gzip: false } });
    const stream = await manager.get(slug);
    await stream.getReader().read();
    await manager.close();
    expect(await rejection(stream.committed())).toMatchObject({ message: "The image manager is closed" });
    expect(events.types()).not.toContain("unproven");
  });

  test("writes nothing any more, not even what was being hashed", async () => {
    const storage = memoryAdapter();
    const put = vi.spyOn(storage, "setItemRaw");
    const digest = crypto.subtle.digest.bind(crypto.subtle);
    const kit = managerOver(
      {
        respond: () => bodyOf([content], "silence", { "content-length": "99999999" }),
        request: { gzip: false },
      },
      { storage },
    );
    await kit.manager.get(slug).then((stream) => stream.cancel());
    const gate = Promise.withResolvers<void>();
    const hashing = vi.spyOn(crypto.subtle, "digest").mockImplementation(async (algorithm, data) => {
      if (data.byteLength === chunkBytes) await gate.promise;
      return digest(algorithm, data);
    });
    try {
      await kit.manager.get(slug);
      const isHashing = () => hashing.mock.calls.some(([, { byteLength }]) => byteLength === chunkBytes);
      await expect.poll(isHashing, { interval: 5 }).toBe(true);
      const closing = kit.manager.close();
      gate.resolve();
      await closing;
      const count = put.mock.calls.length;
      await Promise.all(hashing.mock.results.map(({ value }) => value));
      await turn(); // a write would have followed its digest at once
      expect(put).toHaveBeenCalledTimes(count);
    } finally {
      hashing.mockRestore();
    }
  });
});

describe("a fetch that does not hear its signal", () => {
  const respond = () => new Promise<Response>(() => {});

  test("is given up after the idle timeout", async () => {
    const { manager } = managerOver({ respond }, { retry: { attempts: 1, idleTimeoutMs: 50 } });
    await expect(manager.get(slug)).rejects.toMatchObject({ code: "UPSTREAM", unavailable: true });
  });

  test("does not hold up close", async () => {
    const { manager, downloads } = managerOver({ respond });
    const failure = rejection(manager.get(slug));
    await expect.poll(() => downloads.length).toBe(1);
    await manager.close();
    expect(await failure).toMatchObject({ message: "The image manager is closed" });
  });

  test("has its late response closed", async () => {
    const cancel = vi.fn();
    let answer = (_: Response) => {};
    const late = new Promise<Response>((resolve) => (answer = resolve));
    const { manager } = managerOver({ respond: () => late }, { retry: { attempts: 1, idleTimeoutMs: 50 } });
    await rejection(manager.get(slug));
    answer(new Response(new ReadableStream({ cancel })));
    await expect.poll(() => cancel.mock.calls.length).toBe(1);
  });

  test("is given up in a healing as well", async () => {
    const silent = ({ count }: { count: number }) => (count === 0 ? fileResponse(content) : respond());
    const kit = managerOver(
      { respond: silent, request: { gzip: false } },
      { freshness: { maxAgeMs: 60_000 }, retry: { ...quickRetry, attempts: 1, idleTimeoutMs: 50 } },
    );
    const { id } = await kit.manager.prefetch(slug);
    const [first] = await chunkKeysOf(kit.storage as StoreDriver, id);
    await damage(kit.storage as StoreDriver, first!, "missing");
    expect(await rejection(bytesOf(await kit.manager.get(slug)))).toMatchObject({
      code: "INTEGRITY",
      chunk: 0,
    });
  });
});

describe("a size that is a guess", () => {
  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])("of %s evicts nothing", async (estimatedBytes) => {
    const storage = memoryAdapter();
    const options = { storage, maxBytes: 100 * chunkBytes };
    const { manager } = managerOver({ respond }, options);
    await manager.prefetch(slug);
    const versions = [{ version: "2.0.0", line: "default", draft: false }] as const;
    const other = managerOver({ respond, request: { estimatedBytes }, versions }, options).manager;
    await bytesOf(await other.get(slug));
    expect(await manager.inspect(slug, "1.0.0")).toBeDefined();
  });
});

describe("secrets in a request that can't be sent", () => {
  test.each<[string, Partial<ImageFile>]>([
    ["a header with a line break", { headers: { authorization: "Bearer s3cr\net" } }],
    ["a URL with credentials", { url: "https://user:s3cret@example.com/x" }],
  ])("%s: UPSTREAM, not retried, and nothing told", async (_, request) => {
    const { manager, downloads, events } = managerOver({ respond, request });
    const failure = await rejection(manager.get(slug));
    expect(failure).toMatchObject({ code: "UPSTREAM", unavailable: false });
    expect(downloads).toHaveLength(0);
    expect(inspect([failure, events.all], { depth: 10 })).not.toContain("s3cr");
  });

  test("an address that the platform's error names is left out of the cause", async () => {
    const url = "https://api.example.com/download?wifiKey=s3cret";
    const cause = Object.assign(new TypeError("fetch failed", { cause: new Error(`no way to ${url}`) }), {
      code: "ECONNREFUSED",
      path: url,
    });
    const { manager, events } = managerOver({ respond: () => Promise.reject(cause), request: { url } });
    const failure = await rejection(manager.get(slug));
    expect(failure).toMatchObject({
      code: "UPSTREAM",
      cause: {
        name: "TypeError",
        code: "ECONNREFUSED",
        cause: { message: "no way to https://api.example.com/download?[query]" },
      },
    });
    expect(inspect([failure, events.all], { depth: 10, showHidden: true })).not.toContain("s3cret");
  });
});
