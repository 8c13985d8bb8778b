// A large part over several connections: its ranges are put together in order, each fails alone, and memory stays within its bounds.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImagePart } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { managerOver, noise, serving } from "../../support/own-parts.ts";
import { keysOf } from "../../support/stored-values.ts";
import type { TestManager, TestManagerOptions } from "../../support/test-manager.ts";

const MiB = 1024 * 1024;
const content = noise(18 * MiB + 12_345);
const sha256 = createHash("sha256").update(content).digest("hex");
const borders = [0, 100_000, 17 * MiB, content.length];
const files = new Map<string, Uint8Array>();
const parts = borders.slice(1).map((end, index): ImagePart => {
  const bytes = content.subarray(borders[index], end);
  files.set(`/part-${index}`, bytes);
  const sizes = { wireBytes: bytes.length, bytes: bytes.length, crc32: crc32(bytes) };
  return { name: `part-${index}`, url: `http://parts.example/part-${index}`, encoding: "identity", ...sizes };
});

const opened: TestManager[] = [];
afterEach(() => Promise.all(opened.splice(0).map(({ manager }) => manager.close())));
const open = (fetchParts: typeof fetch, options: TestManagerOptions = {}) => {
  const made = managerOver({ parts }, fetchParts, { connections: 4, chunkBytes: MiB, ...options });
  opened.push(made);
  return made;
};

/** Counts how many bodies are being read at once. A body ends only once `mayEnd` is settled. */
function watching(
  answer: typeof fetch,
  mayEnd: (range: string | null) => Promise<void> = async () => undefined,
) {
  const seen = { now: 0, most: 0 };
  const fetchParts: typeof fetch = async (input, init) => {
    const range = new Headers(init?.headers).get("range");
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    const response = await answer(input, init);
    if (response.body === null) return response;
    const over = () => {
      seen.now -= 1;
    };
    const gate = new TransformStream<Uint8Array, Uint8Array>({
      async flush() {
        await mayEnd(range);
        over();
      },
    });
    init?.signal?.addEventListener("abort", over, { once: true });
    return new Response(response.body.pipeThrough(gate), response);
  };
  return { fetch: fetchParts, seen };
}

const rangesOf = (asked: ReturnType<typeof serving>["asked"], path = "/part-1") =>
  asked.filter((one) => one.path === path).map(({ headers }) => headers.get("range"));

describe("a large part", () => {
  test("comes by ranges, each asked for once, of the file of the first one", async () => {
    const served = serving(files);
    const { fetch, seen } = watching(served.fetch);
    const stream = await open(fetch).manager.get("board", "1.0.0");
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(rangesOf(served.asked)).toEqual([
      ...[`bytes=0-${4 * MiB - 1}`, `bytes=${4 * MiB}-${8 * MiB - 1}`, `bytes=${8 * MiB}-${12 * MiB - 1}`],
      ...[`bytes=${12 * MiB}-${16 * MiB - 1}`, `bytes=${16 * MiB}-${files.get("/part-1")!.length - 1}`],
    ]);
    const matches = served.asked
      .filter(({ path }) => path === "/part-1")
      .map(({ headers }) => headers.get("if-match"));
    expect(matches).toEqual([null, ...Array(4).fill(`"${parts[1]!.crc32}"`)]);
    expect(rangesOf(served.asked, "/part-0")).toEqual([null]);
    expect(rangesOf(served.asked, "/part-2")).toEqual([null]);
    expect(seen.most).toBeGreaterThan(1);
    expect(await stream.committed()).toBeDefined();
  });

  test("is put together in order, also where the first range comes last", async () => {
    const served = serving(files);
    const others = Promise.withResolvers<void>();
    const { fetch, seen } = watching(served.fetch, async (range) => {
      if (range?.startsWith("bytes=0-")) await others.promise;
    });
    const reading = open(fetch).manager.get("board", "1.0.0").then(collect);
    // All of them are asked for while the first one is on its way, but never more than four at once.
    await eventually(() => expect(rangesOf(served.asked)).toHaveLength(5));
    expect(seen.most).toBeLessThanOrEqual(4);
    others.resolve();
    expect((await reading).sha256).toBe(sha256);
  });

  test("comes whole over one connection by default, and where the server hands out no ranges", async () => {
    const served = serving(files);
    expect(
      (await collect(await open(served.fetch, { connections: 1 }).manager.get("board", "1.0.0"))).sha256,
    ).toBe(sha256);
    expect(rangesOf(served.asked)).toEqual([null]);
    served.asked.length = 0;
    const deaf: typeof fetch = (input) => served.fetch(input);
    expect((await collect(await open(deaf).manager.get("board", "1.0.0"))).sha256).toBe(sha256);
    expect(rangesOf(served.asked)).toEqual([null]);
  });

  test("takes one connection where there is no memory for ranges before their turn", async () => {
    const served = serving(files);
    const { fetch, seen } = watching(served.fetch);
    const stream = await open(fetch, { memoryBytes: MiB }).manager.get("board", "1.0.0");
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(rangesOf(served.asked)).toHaveLength(5);
    expect(seen.most).toBeLessThanOrEqual(2); // a range, and the small part after it
  });

  test("lets go of all ranges when its reader leaves", async () => {
    const served = serving(files);
    const { fetch, seen } = watching(served.fetch, () => new Promise(() => undefined));
    const stream = await open(fetch, { memoryBytes: 64 * MiB }).manager.get("board", "1.0.0", {
      cache: "no-store",
    });
    void stream;
    await eventually(() => expect(seen.now).toBeGreaterThan(0));
    await stream.cancel();
    await eventually(() => expect(seen.now).toBe(0));
  });
});

test("what a transfer left of it goes on by ranges", async () => {
  const storage = memoryAdapter();
  const served = serving(files);
  const stopped = Promise.withResolvers<void>();
  const first = open(
    async (input, init) => {
      const range = new Headers(init?.headers).get("range") ?? "";
      if (range.startsWith(`bytes=${8 * MiB}-`)) {
        stopped.resolve();
        return new Promise(() => undefined); // it never comes
      }
      return served.fetch(input, init);
    },
    { storage },
  );
  const reading = first.manager.get("board", "1.0.0").then(collect);
  reading.catch(() => undefined);
  await stopped.promise;
  await eventually(async () => expect((await keysOf(storage, "chunks")).length).toBeGreaterThan(6));
  await first.manager.close();
  served.asked.length = 0;
  const stream = await open(served.fetch, { storage }).manager.get("board", "1.0.0");
  expect((await collect(stream)).sha256).toBe(sha256);
  const [rest, ...others] = rangesOf(served.asked).map((range) =>
    /^bytes=(\d+)-(\d+)$/.exec(range!)!.slice(1).map(Number),
  );
  expect(rest![0]).toBeGreaterThan(4 * MiB);
  expect(others.length).toBeGreaterThan(0);
  for (const [index, [from]] of others.entries()) expect(from).toBe([rest!, ...others][index]![1]! + 1);
});

describe("a range that fails", () => {
  /** A `fetch` that answers in another way where a request is for such a range of the large part, so many times. */
  function failing(range: RegExp, times: number, answer: (response: Response) => Promise<Response>) {
    const served = serving(files);
    let left = times;
    const fetchParts: typeof fetch = async (input, init) => {
      const asked = new Headers(init?.headers).get("range") ?? "";
      const response = await served.fetch(input, init);
      return String(input).endsWith("/part-1") && range.test(asked) && left-- > 0
        ? answer(response)
        : response;
    };
    return { ...served, fetch: fetchParts };
  }
  const broken = async (response: Response) => {
    const bytes = new Uint8Array(await response.arrayBuffer());
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(bytes.slice(0, MiB)),
      pull: (controller) => controller.error(new TypeError("terminated")),
    });
    return new Response(body, response);
  };
  const third = new RegExp(`^bytes=${8 * MiB}-`);

  test("is read on alone, from where it broke, to its own end", async () => {
    const { fetch, asked } = failing(third, 1, broken);
    const { manager, events } = open(fetch);
    expect((await collect(await manager.get("board", "1.0.0"))).sha256).toBe(sha256);
    expect(rangesOf(asked)).toHaveLength(6);
    expect(rangesOf(asked)).toContain(`bytes=${9 * MiB}-${12 * MiB - 1}`);
    expect(events.of("resumed")).toHaveLength(1);
  });

  test("is asked for again alone after a 503", async () => {
    const { fetch, asked } = failing(third, 2, async () => new Response("", { status: 503 }));
    expect((await collect(await open(fetch).manager.get("board", "1.0.0"))).sha256).toBe(sha256);
    expect(rangesOf(asked).filter((range) => third.test(range!))).toHaveLength(3);
    expect(rangesOf(asked)).toHaveLength(7);
  });

  test("for ever ends the get, and with it the others", async () => {
    const { fetch } = failing(third, Number.POSITIVE_INFINITY, async () => new Response("", { status: 503 }));
    const { manager } = open(fetch);
    expect(await rejection(manager.prefetch("board", "1.0.0"))).toMatchObject({
      code: "UPSTREAM",
      status: 503,
    });
  });

  test.each<[string, (response: Response) => Promise<Response>]>([
    ["because another file is there (412)", async () => new Response("", { status: 412 })],
    ["because a shorter file is there (416)", async () => new Response("", { status: 416 })],
    ["because it is the whole file all at once", async () => whole()],
    [
      "because it is another range",
      async (response) =>
        new Response(response.body, {
          status: 206,
          headers: {
            "content-range": `bytes 0-${4 * MiB - 1}/${parts[1]!.wireBytes}`,
            "content-length": String(4 * MiB),
          },
        }),
    ],
  ])("%s makes the part start over, over one connection", async (_, answer) => {
    const { fetch, asked } = failing(third, 1, answer);
    expect((await collect(await open(fetch).manager.get("board", "1.0.0"))).sha256).toBe(sha256);
    expect(rangesOf(asked).at(-1)).toBe(null);
  });

  test("over an address that has expired is asked for at a new one", async () => {
    const { fetch, asked } = failing(third, 1, async () => new Response("", { status: 403 }));
    expect((await collect(await open(fetch).manager.get("board", "1.0.0"))).sha256).toBe(sha256);
    expect(rangesOf(asked)).toHaveLength(6);
  });
});

const whole = () => {
  const bytes = new Uint8Array(files.get("/part-1")!);
  return new Response(bytes, { headers: { "content-length": String(bytes.length) } });
};
