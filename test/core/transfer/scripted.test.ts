/** Lies and oddities that no loopback API tells: sizes that are called exact, bodies that are something else, sources that misbehave. */
import { describe, expect, test, vi } from "vitest";
import type { ImageRequest, ImageSource } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import {
  chunkedResponse,
  fileResponse,
  gzip,
  noise,
  scriptedUpstream,
  type UpstreamScript,
} from "../../support/scripted-upstream.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const slug = "intel-nuc";
const content = noise(3 * chunkBytes + 17);
const nowhere = { url: "http://127.0.0.1:1" };

function managerOver(script: UpstreamScript) {
  const upstream = scriptedUpstream(script);
  const { source, fetch } = upstream;
  return { ...createTestManager(nowhere, { source, fetch }), downloads: upstream.downloads };
}

const respond = () => fileResponse(gzip(content), { etag: '"a"' });

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
  test.each<[string, ImageRequest["estimatedBytes"]]>([
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
      message: expect.stringContaining("gzip"),
    });
    expect(downloads).toHaveLength(3);
  });

  test("a .gz that is labelled as a coding, and undone by fetch, is taken raw but not proven", async () => {
    // What `fetch` leaves of it: the raw image, the header still there, the length that of the coded body.
    const headers = { "content-encoding": "gzip", "content-length": "12345" };
    const { manager, events } = managerOver({ respond: () => new Response(content, { headers }) });
    const stream = await manager.get(slug);
    expect(await bytesOf(stream)).toEqual(content);
    expect(await stream.committed()).toBeUndefined();
    expect(events.types()).toContain("unproven");
  });

  test.each([204, 206, 300, 304, 418])("status %d, unasked, is a typed error", async (status) => {
    const { manager } = managerOver({ respond: () => new Response(null, { status }) });
    expect(await rejection(manager.get(slug))).toMatchObject({ code: "UPSTREAM", status });
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
