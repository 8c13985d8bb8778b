// A part that fails its check: what came of it is taken back, also from those who read along, and only who has wrong bytes ends.
import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { cut, managerOver, noise, serving } from "../../support/own-parts.ts";
import { keysOf } from "../../support/stored-values.ts";
import { chunkBytes, type TestManager } from "../../support/test-manager.ts";
import { lease } from "../sharing/support.ts";

const partBytes = 6 * chunkBytes;
const content = noise(3 * partBytes + 1_000);
const sha256 = createHash("sha256").update(content).digest("hex");
const { parts, files } = cut(content, partBytes, "identity");

const opened: TestManager[] = [];
afterEach(() => Promise.all(opened.splice(0).map(({ manager }) => manager.close())));
const opening = (made: TestManager) => {
  opened.push(made);
  return made;
};
const open = (fetchParts: typeof fetch, storage = memoryAdapter()) =>
  opening(managerOver({ parts }, fetchParts, { storage, lease }));

/** A `fetch` whose part 1 has a flipped bit in its second chunk, so many times. It ends when it may, and part 2 begins when it may. */
function flipping(times: number, mayEnd = Promise.resolve(), mayGoOn = Promise.resolve()) {
  const served = serving(files);
  let left = times;
  const fetchParts: typeof fetch = async (input, init) => {
    const response = await served.fetch(input, init);
    if (String(input).endsWith("/part-2")) await mayGoOn;
    if (!String(input).endsWith("/part-1") || left-- <= 0) return response;
    const bytes = new Uint8Array(await response.arrayBuffer());
    bytes[chunkBytes + 7]! ^= 0x10;
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(bytes.slice(0, -1_000));
        await mayEnd;
        controller.enqueue(bytes.slice(-1_000));
        controller.close();
      },
    });
    return new Response(body, response);
  };
  return { ...served, fetch: fetchParts };
}

/** Reads the first bytes, then the rest; `rest` settles with the digest of all, or rejects. */
async function readFirst(stream: ReadableStream<Uint8Array>, bytes: number) {
  const reader = stream.getReader();
  const hash = createHash("sha256");
  for (let read = 0; read < bytes; ) {
    const { value } = await reader.read();
    hash.update(value!);
    read += value!.length;
  }
  reader.releaseLock();
  return {
    async rest() {
      for await (const piece of stream) hash.update(piece);
      return hash.digest("hex");
    },
  };
}

describe("a bit that flips on the way", () => {
  test.each(["the owner's", "a follower's"])("ends %s readers that have it, and no others", async (whose) => {
    const [mayEnd, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const storage = memoryAdapter();
    const owner = open(flipping(1, mayEnd.promise, mayGoOn.promise).fetch, storage);
    const ahead = await owner.manager.get("board", "1.0.0");
    const follower = whose === "the owner's" ? owner : open(serving(files).fetch, storage);
    const [misled, behind] = [
      await follower.manager.get("board", "1.0.0"),
      await follower.manager.get("board", "1.0.0"),
    ];
    void readFirst(ahead, partBytes + 3 * chunkBytes);
    const reader = await readFirst(misled, partBytes + 3 * chunkBytes);
    const patient = await readFirst(behind, chunkBytes);
    mayEnd.resolve();
    expect(await rejection(reader.rest())).toMatchObject({ code: "IMAGE_CHANGED" });
    const rest = patient.rest(); // by now the wrong chunks are taken back
    mayGoOn.resolve();
    expect(await rest).toBe(sha256);
    expect(await behind.committed()).toMatchObject({ size: content.length });
  });

  test("ends a paused follower's readers that have it, if meanwhile another process has brought the right one", async () => {
    const storage = memoryAdapter();
    const options = { keepWireBytes: false, lease, storage };
    const owner = opening(managerOver({ parts }, flipping(1, new Promise(() => undefined)).fetch, options));
    const owned = await owner.manager.get("board", "1.0.0");
    owned.pipeTo(new WritableStream()).catch(() => undefined);
    let isPaused = Promise.resolve();
    const pausing: StoreDriver = {
      ...storage,
      async getItemRaw(key, read) {
        if (key.includes(":leases:")) await isPaused;
        return storage.getItemRaw!(key, read);
      },
    };
    const follower = opening(managerOver({ parts }, serving(files).fetch, { ...options, storage: pausing }));
    const [misled, behind] = [
      await follower.manager.get("board", "1.0.0"),
      await follower.manager.get("board", "1.0.0"),
    ];
    const reader = await readFirst(misled, partBytes + 3 * chunkBytes);
    const patient = await readFirst(behind, chunkBytes);
    const pause = Promise.withResolvers<void>();
    isPaused = pause.promise;
    await owner.manager.close();
    const mayGoOn = Promise.withResolvers<void>();
    const other = opening(managerOver({ parts }, flipping(0, undefined, mayGoOn.promise).fetch, options));
    const fetched = other.manager.prefetch("board", "1.0.0");
    fetched.catch(() => undefined);
    await eventually(async () =>
      expect(await keysOf(storage, "partials")).toContainEqual(expect.stringMatching(/:2:1$/)),
    );
    pause.resolve();
    expect(await rejection(reader.rest())).toMatchObject({ code: "IMAGE_CHANGED" });
    const rest = patient.rest(); // by now the wrong chunks are taken back
    mayGoOn.resolve();
    expect(await rest).toBe(sha256);
    await fetched;
  });

  test("is caught by the checksum alone: the bytes came whole, over a sound connection", async () => {
    const { fetch, asked } = flipping(1);
    const { manager, events } = open(fetch);
    await manager.prefetch("board", "1.0.0");
    expect(events.of("resumed").map(({ cause }) => String(cause))).toEqual([
      expect.stringContaining("Part part-1 has another checksum"),
    ]);
    expect(asked.filter(({ path }) => path === "/part-1")).toHaveLength(2);
    const stream = await manager.get("board", "1.0.0", { cache: "only-if-cached" });
    expect((await collect(stream)).sha256).toBe(sha256);
  });

  test("twice is INTEGRITY; no journal names a chunk of that part, and the next get goes on from the part before", async () => {
    const storage = memoryAdapter();
    const first = open(flipping(2).fetch, storage);
    expect(await rejection(first.manager.prefetch("board", "1.0.0"))).toMatchObject({
      code: "INTEGRITY",
      chunk: 6,
    });
    await first.manager.close();
    const [partial] = await eventually(async () => {
      const listed: unknown[] = [];
      for await (const one of open(serving(files).fetch, storage).manager.list()) listed.push(one);
      expect(listed).toHaveLength(1);
      return listed;
    });
    expect(partial).toMatchObject({ isComplete: false, transferredBytes: partBytes });
    const { fetch, asked } = serving(files);
    const stream = await open(fetch, storage).manager.get("board", "1.0.0");
    expect((await collect(stream)).sha256).toBe(sha256);
    expect(asked.map(({ path }) => path)).not.toContain("/part-0");
    await stream.committed();
    expect(await keysOf(storage, "partials")).toEqual([]);
  });
});

describe("another file at the address of a part", () => {
  test("after a break is asked for whole (412); the checksum says which bytes are right", async () => {
    const other = new Uint8Array(files.get("/part-1")!);
    other[2 * chunkBytes] = ~other[2 * chunkBytes]!;
    const changing = new Map(files).set("/part-1", other);
    const served = serving(changing);
    const fetchParts: typeof fetch = async (input, init) => {
      const response = await served.fetch(input, init);
      if (!String(input).endsWith("/part-1") || changing.get("/part-1") !== other) return response;
      changing.set("/part-1", files.get("/part-1")!); // the wrong one is replaced while it is on its way
      const bytes = new Uint8Array(await response.arrayBuffer());
      const body = new ReadableStream<Uint8Array>(
        {
          start: (controller) => controller.enqueue(bytes.slice(0, 4 * chunkBytes)),
          pull: (controller) => controller.error(new TypeError("terminated")), // once that was read
        },
        { highWaterMark: 1 },
      );
      return new Response(body, response);
    };
    const { manager } = open(fetchParts);
    await manager.prefetch("board", "1.0.0");
    const stream = await manager.get("board", "1.0.0", { cache: "only-if-cached" });
    expect((await collect(stream)).sha256).toBe(sha256);
    const asked = served.asked.map(
      ({ path, headers }) => path + (headers.has("if-match") ? " if-match" : ""),
    );
    const once = ["/part-0", "/part-1", "/part-1", "/part-1 if-match", "/part-2", "/part-3"];
    expect(asked.sort()).toEqual(once);
  });

  test("of another length is no use: the source is asked once more, then it is UPSTREAM at once", async () => {
    const longer = new Map(files).set("/part-1", noise(partBytes + 1));
    const served = serving(longer);
    const { manager } = open(served.fetch);
    const failure = await rejection(manager.prefetch("board", "1.0.0"));
    expect(failure).toMatchObject({ code: "UPSTREAM", unavailable: true });
    // Once early, and again when it is its turn: a refused one is asked for at a new address each time.
    expect(served.asked.filter(({ path }) => path === "/part-1").length).toBeLessThanOrEqual(4);
  });
});

test("an address that waits for a slow reader is let go, and asked for again", async () => {
  const served = serving(files);
  const cancelled: string[] = [];
  const fetchParts: typeof fetch = async (input, init) => {
    const response = await served.fetch(input, init);
    const path = new URL(String(input)).pathname;
    const reader = response.body!.getReader();
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => void cancelled.push(path),
      },
      { highWaterMark: 0 },
    );
    return new Response(body, response);
  };
  const made = managerOver({ parts }, fetchParts, {
    memoryBytes: chunkBytes,
    retry: { idleTimeoutMs: 50 },
  });
  opened.push(made);
  const stream = await made.manager.get("board", "1.0.0", { cache: "no-store" });
  await eventually(() => expect(cancelled).toContain("/part-1"));
  expect((await collect(stream)).sha256).toBe(sha256);
  expect(served.asked.filter(({ path }) => path === "/part-1").length).toBeGreaterThan(1);
});
