// Damaged chunks of an image in parts: they come from the parts that cover them, not from a whole download.
import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImagePart } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { cut, managerOver, noise, serving } from "../../support/own-parts.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkKeysOf, damage } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager, type TestManager } from "../../support/test-manager.ts";

const partBytes = Math.floor(4.5 * chunkBytes);
const content = noise(4 * partBytes);
const sha256 = createHash("sha256").update(content).digest("hex");
const opened: TestManager[] = [];
afterEach(() => Promise.all(opened.splice(0).map(({ manager }) => manager.close())));

/** A stored image of four parts with 18 chunks, some of them damaged. */
async function damaged(indexes: readonly number[], encoding: ImagePart["encoding"] = "deflate-raw") {
  const storage = memoryAdapter();
  const list = cut(content, partBytes, encoding);
  const served = serving(list.files);
  const change = { fetch: served.fetch };
  const made = managerOver(list, (input, init) => change.fetch(input, init), {
    storage,
    freshness: { maxAgeMs: 60_000 },
  });
  opened.push(made);
  const { id } = await made.manager.prefetch("board", "1.0.0");
  const keys = (await chunkKeysOf(storage, id)) as string[];
  for (const index of indexes) await damage(storage, keys[index]!, "flip");
  served.asked.length = 0;
  made.events.clear();
  return { ...made, list, asked: served.asked, served, change, id };
}

const pathsOf = (asked: readonly { path: string }[]) => asked.map(({ path }) => path);
const healedIn = ({ events }: Pick<TestManager, "events">) =>
  events.of("healed").reduce((sum, { chunks }) => sum + chunks, 0);

describe("bad chunks come from the parts that cover them", () => {
  test.each<[string, number[], string[]]>([
    ["one", [7], ["/part-1"]],
    ["the last", [17], ["/part-3"]],
    ["one over the border of two parts", [4], ["/part-0", "/part-1"]],
    ["neighbours", [10, 11, 12], ["/part-2"]],
    ["some in one part", [5, 8], ["/part-1"]],
    ["many", [0, 2, 5, 7, 10, 12, 15, 17], ["/part-0", "/part-1", "/part-2", "/part-3"]],
    ["all", Array.from({ length: 18 }, (_, index) => index), ["/part-0", "/part-1", "/part-2", "/part-3"]],
  ])("%s", async (_, indexes, parts) => {
    const made = await damaged(indexes);
    expect((await collect(await made.manager.get("board", "1.0.0"))).sha256).toBe(sha256);
    expect(pathsOf(made.asked).toSorted()).toEqual(parts.toSorted()); // each once
    expect(healedIn(made)).toBe(indexes.length);
    const again = await made.manager.get("board", "1.0.0", { cache: "only-if-cached" });
    expect((await collect(again)).sha256).toBe(sha256);
    expect(made.events.of("committed")).toEqual([]);
  });

  test("verify with repair, too", async () => {
    const made = await damaged([1, 6]);
    expect(await made.manager.verify({ repair: true })).toMatchObject({
      damaged: [{ chunks: [1, 6], isRepaired: true }],
    });
    expect(pathsOf(made.asked)).toEqual(["/part-0", "/part-1"]);
  });

  test("and of parts that are not deflated by their ranges alone", async () => {
    const made = await damaged([2, 4, 5], "identity");
    expect((await collect(await made.manager.get("board", "1.0.0"))).sha256).toBe(sha256);
    const [second, border] = [2 * chunkBytes, 4 * chunkBytes];
    expect(made.asked.map(({ path, headers }) => `${path} ${headers.get("range")}`)).toEqual([
      `/part-0 bytes=${second}-${3 * chunkBytes - 1}`,
      `/part-0 bytes=${border}-${partBytes - 1}`,
      `/part-1 bytes=0-${6 * chunkBytes - partBytes - 1}`,
    ]);
  });

  test("and a range of the image asks for no part that it does not need", async () => {
    const made = await damaged([1, 7, 16]);
    const range = { start: 7 * chunkBytes, end: 9 * chunkBytes };
    const { sha256: ofRange } = await collect(await made.manager.get("board", "1.0.0", { range }));
    expect(ofRange).toBe(createHash("sha256").update(content.subarray(range.start, range.end)).digest("hex"));
    expect(pathsOf(made.asked)).toEqual(["/part-1"]);
  });

  test("through a break, by a range of the part", async () => {
    const made = await damaged([7]);
    let isBroken = false;
    made.change.fetch = async (input, init) => {
      const response = await made.served.fetch(input, init);
      if (isBroken) return response;
      isBroken = true;
      const bytes = new Uint8Array(await response.arrayBuffer());
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(bytes.slice(0, 100_000)),
        pull: (controller) => controller.error(new TypeError("terminated")),
      });
      return new Response(body, response);
    };
    expect((await collect(await made.manager.get("board", "1.0.0"))).sha256).toBe(sha256);
    expect(made.asked.map(({ headers }) => [headers.get("range"), headers.has("if-match")])).toEqual([
      [null, false],
      [expect.stringMatching(/^bytes=100000-/), true],
    ]);
  });
});

test("another list of parts is another image: no mixture, and the next get brings the new one", async () => {
  const made = await damaged([7]);
  const next = cut(noise(4 * partBytes, 5), partBytes);
  made.list.parts = next.parts;
  made.change.fetch = serving(next.files).fetch;
  const failure = await rejection(collect(await made.manager.get("board", "1.0.0")));
  expect(failure).toMatchObject({ code: "IMAGE_CHANGED" });
  const { sha256: ofNext } = await collect(await made.manager.get("board", "1.0.0"));
  expect(ofNext).toBe(
    createHash("sha256")
      .update(noise(4 * partBytes, 5))
      .digest("hex"),
  );
});

test("a part with other bytes than it had: a whole download is tried, and then it is an error", async () => {
  const made = await damaged([7]);
  const wrong = noise(made.list.files.get("/part-1")!.length, 9);
  made.change.fetch = serving(new Map(made.list.files).set("/part-1", wrong)).fetch;
  const failure = await rejection(collect(await made.manager.get("board", "1.0.0")));
  expect(failure).toMatchObject({ code: "INTEGRITY" });
  made.change.fetch = made.served.fetch;
  expect((await collect(await made.manager.get("board", "1.0.0"))).sha256).toBe(sha256);
});

test("a reader that leaves lets go of the part", async () => {
  const made = await damaged([7]);
  const left = Promise.withResolvers<void>();
  made.change.fetch = async (input, init) => {
    const response = await made.served.fetch(input, init);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(bytes.slice(0, -1_000)), // and no more
      cancel: () => left.resolve(),
    });
    return new Response(body, response);
  };
  const stream = await made.manager.get("board", "1.0.0");
  const reader = stream.getReader();
  for (let index = 0; index < 8; index++) await reader.read();
  await reader.cancel();
  await left.promise;
});

describe("at balena", async () => {
  const api = await sharedApi({ assets: true, imageBytes: 8 * 1024 * 1024 });

  test.each(["parts", "/download"])("a copy that came by %s is healed by the part", async (way) => {
    const storage = memoryAdapter();
    const refusing: typeof fetch = async (input, init) =>
      way === "/download" && String(input).includes("/part-")
        ? new Response("", { status: 403 })
        : fetch(input, init);
    const first = createTestManager(api, { storage, fetch: refusing });
    const { id } = await first.manager.prefetch(slug, version);
    await first.manager.close();
    const keys = await chunkKeysOf(storage, id);
    const bad = keys.findIndex((key, index) => index > 0 && key !== undefined);
    await damage(storage, keys[bad]!, "missing");
    api.counters.reset();
    const { manager, events } = createTestManager(api, { storage });
    const { sha256: got } = await collect(await manager.get(slug, version));
    expect(got).toBe(await api.image(slug, version).sha256);
    expect(events.of("healed")).toMatchObject([{ chunks: 1 }]);
    expect(api.counters.assetBytes).toBeLessThan((await api.image(slug, version).gzBytes()) / 2);
    expect(api.counters.downloads).toBe(0);
    await manager.close();
  });
});
