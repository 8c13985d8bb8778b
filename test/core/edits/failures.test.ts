/** An edit that is wrong, fails, or never answers: a typed error, and the image is cached and served as before. */
import { describe, expect, onTestFinished, test } from "vitest";
import type { EditableImage, ImageEdit } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { imageOf, upstreamOf, writing } from "./support.ts";

const { version } = scriptedVersion;
const content = imageOf(12, chunkBytes);
const { length } = content;
const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;
const bytes = (count: number) => new Uint8Array(count).fill(1);

function made() {
  const upstream = upstreamOf(content);
  const test = createTestManager(upstream as never, { ...upstream, freshness });
  onTestFinished(() => test.manager.close());
  return { ...test, upstream };
}

const answering = (answer: unknown) => (async () => answer) as unknown as ImageEdit;

describe("an edit", () => {
  test.each<[string, unknown, string]>([
    ["of nothing at all", undefined, "INVALID_ARGUMENT"],
    ["of no list", { start: 0, bytes: bytes(1) }, "INVALID_ARGUMENT"],
    ["of no spans", [null], "INVALID_ARGUMENT"],
    ["without bytes", [{ start: 0 }], "INVALID_ARGUMENT"],
    ["of text", [{ start: 0, bytes: "secret" }], "INVALID_ARGUMENT"],
    ["at no place", [{ bytes: bytes(1) }], "INVALID_ARGUMENT"],
    ["before the image", [{ start: -1, bytes: bytes(1) }], "INVALID_ARGUMENT"],
    ["at half a byte", [{ start: 0.5, bytes: bytes(1) }], "INVALID_ARGUMENT"],
    ["beyond the image", [{ start: length - 1, bytes: bytes(2) }], "EDIT"],
    ["far beyond the image", [{ start: Number.MAX_SAFE_INTEGER, bytes: bytes(2) }], "EDIT"],
    [
      "that overlaps",
      [
        { start: 5, bytes: bytes(2) },
        { start: 4, bytes: bytes(2) },
      ],
      "INVALID_ARGUMENT",
    ],
    ["that overlaps at one place", [0, 0].map((start) => ({ start, bytes: bytes(1) })), "INVALID_ARGUMENT"],
    ["larger than the image", [{ start: 0, bytes: bytes(length + 1) }], "EDIT"],
    [
      "that is huge",
      Array.from({ length: 50 }, () => ({ start: 0, bytes: bytes(length) })),
      "INVALID_ARGUMENT",
    ],
  ])("%s is refused, and nothing is lost", async (_, answer, code) => {
    const { manager, upstream } = made();
    const failure = await rejection(manager.get(slug, version, { edit: answering(answer) }));
    expect(failure).toMatchObject({ code, ...(code === "EDIT" && { reason: "outside-image" }) });
    await manager.prefetch(slug, version);
    expect(await rejection(manager.get(slug, version, { edit: answering(answer) }))).toMatchObject({ code });
    expect(isSame(await bytesOf(await manager.get(slug, version)), content)).toBe(true);
    expect(upstream.downloads.length).toBeLessThanOrEqual(2);
  });

  test.each<[string, unknown]>([
    ["of no spans", []],
    [
      "of empty spans",
      [
        { start: length, bytes: bytes(0) },
        { start: 0, bytes: bytes(0) },
      ],
    ],
    ["of what is there already", [{ start: 0, bytes: content.slice(0, 100) }]],
  ])("%s changes nothing", async (_, answer) => {
    const { manager } = made();
    const stream = await manager.get(slug, version, { edit: answering(answer) });
    expect(stream.edited).toBe("repeatable");
    expect(isSame(await bytesOf(stream), content)).toBe(true);
  });

  test("of everything is laid over everything", async () => {
    const { manager } = made();
    const spans = Array.from({ length: length / 1000 }, (_, index) => ({
      start: index * 1000,
      bytes: bytes(index + 1 === Math.floor(length / 1000) ? length - index * 1000 : 1000),
    })).slice(0, Math.floor(length / 1000));
    const delivered = await bytesOf(await manager.get(slug, version, { edit: answering(spans.reverse()) }));
    expect(isSame(delivered, bytes(length))).toBe(true);
  });

  test("may use its buffers again", async () => {
    const { manager } = made();
    const own = new TextEncoder().encode("first");
    const stream = await manager.get(slug, version, { edit: async () => [{ start: 3, bytes: own }] });
    own.fill(0);
    expect(new TextDecoder().decode((await bytesOf(stream)).slice(3, 8))).toBe("first");
  });

  test("that is no function is refused before anything is asked", async () => {
    const { manager, upstream } = made();
    const failure = await rejection(manager.get(slug, version, { edit: [] as unknown as ImageEdit }));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining('"edit"') });
    expect(upstream.downloads).toEqual([]);
  });
});

describe("an edit that fails", () => {
  test.each<[string, () => unknown]>([
    ["with an error", () => Promise.reject(new TypeError("mine"))],
    [
      "at once",
      () => {
        throw new TypeError("mine");
      },
    ],
    ["with a text", () => Promise.reject("mine")],
    ["with nothing", () => Promise.reject(undefined)],
  ])("%s is EDIT with that as its cause, and the image goes on into the cache", async (_, edit) => {
    const { manager, upstream } = made();
    const other = await manager.get(slug, version);
    const failure = await rejection(manager.get(slug, version, { edit: edit as ImageEdit }));
    expect(failure).toMatchObject({ code: "EDIT", reason: "failed" });
    expect(isSame(await bytesOf(other), content)).toBe(true);
    expect(await manager.inspect(slug, version)).toMatchObject({ size: length });
    expect(upstream.downloads).toHaveLength(1);
  });

  test("leaves no transfer behind that nobody wants", async () => {
    const { manager } = made();
    await rejection(
      manager.get(slug, version, { edit: () => Promise.reject(new Error("mine")), cache: "no-store" }),
    );
    await manager.close(); // waits for all that runs
  });
});

describe("an edit that never answers", () => {
  const never = (asked: (image: EditableImage) => void): ImageEdit => {
    return (image) => {
      asked(image);
      return new Promise(() => {});
    };
  };

  test.each(["default", "no-store", "only-if-cached"] as const)(
    "ends with the signal, and its image too: %s",
    async (cache) => {
      const { manager } = made();
      await manager.prefetch(slug, version);
      const stop = new AbortController();
      const asked = Promise.withResolvers<EditableImage>();
      const getting = manager.get(slug, version, { edit: never(asked.resolve), cache, signal: stop.signal });
      const image = await asked.promise;
      const reason = new Error("enough");
      stop.abort(reason);
      expect(await rejection(getting)).toBe(reason);
      expect(image.signal.aborted).toBe(true);
      expect(await rejection(image.read(0, 10))).toBe(reason);
      expect(isSame(await bytesOf(await manager.get(slug, version)), content)).toBe(true);
    },
  );

  test("ends with the manager", async () => {
    const { manager } = made();
    const asked = Promise.withResolvers<EditableImage>();
    const getting = rejection(manager.get(slug, version, { edit: never(asked.resolve) }));
    await asked.promise;
    await manager.close();
    expect(await getting).toMatchObject({ code: "CLOSED" });
  });

  test("does not keep others from the image", async () => {
    const { manager, upstream } = made();
    const asked = Promise.withResolvers<EditableImage>();
    const stop = new AbortController();
    const getting = manager.get(slug, version, { edit: never(asked.resolve), signal: stop.signal });
    await asked.promise;
    expect(isSame(await bytesOf(await manager.get(slug, version)), content)).toBe(true);
    stop.abort(new Error("enough"));
    await rejection(getting);
    expect(upstream.downloads).toHaveLength(1);
  });
});

test("a get that is aborted while its edit reads rejects with the reason", async () => {
  const { manager } = made();
  const stop = new AbortController();
  const edit: ImageEdit = async ({ read }) => {
    const reading = read(0, length);
    stop.abort(new Error("enough"));
    await reading;
    return [];
  };
  expect(await rejection(manager.get(slug, version, { edit, signal: stop.signal }))).toMatchObject({
    message: "enough",
  });
  expect(isSame(await bytesOf(await manager.get(slug, version, { edit: writing("", 0) })), content)).toBe(
    true,
  );
});

test("what the upstream refuses is the get's error, not the edit's", async () => {
  const upstream = upstreamOf(content);
  let left = chunkBytes + 10;
  const breaking = async (...args: Parameters<typeof fetch>) => {
    const response = await upstream.fetch(...args);
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        controller.enqueue(piece.subarray(0, left));
        left -= piece.length;
        if (left <= 0) controller.error(new TypeError("terminated"));
      },
    });
    return new Response(response.body!.pipeThrough(cut), response);
  };
  const { manager } = createTestManager(upstream as never, {
    ...upstream,
    fetch: breaking as typeof fetch,
    retry: { attempts: 1 },
  });
  const edit: ImageEdit = async ({ size, read }) => [{ start: 0, bytes: await read(size - 5, size) }];
  expect(await rejection(manager.get(slug, version, { edit }))).toMatchObject({ code: "UPSTREAM" });
});
