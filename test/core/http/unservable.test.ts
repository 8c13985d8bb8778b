// What can't be put into an answer: a 500 at worst, and nothing of it stays open.
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageHandler } from "../../../src/core/http/index.ts";
import type { ImageManager } from "../../../src/core/index.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { keysOf, readJson, write } from "../../support/stored-values.ts";
import { createTestManager } from "../../support/test-manager.ts";
import { createTestHandler } from "./support.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024, holeFree: true });
const path = `/images/${slug}/${version}`;
const url = `http://localhost${path}`;

test("a stored image whose mime no header can carry is a miss: it is fetched again", async () => {
  const storage = memoryAdapter();
  const { send, manager, errors } = createTestHandler(api, { storage });
  await manager.prefetch(slug, version);
  const [key] = (await keysOf(storage, "images")) as [string];
  await write(storage, key, JSON.stringify({ ...(await readJson(storage, key)), mime: "a\r\nb: c" }));
  const response = await send(path);
  expect(response.status).toBe(200);
  expect((await response.arrayBuffer()).byteLength).toBe(2 * 1024 * 1024);
  expect(errors).toEqual([]);
});

/** A manager whose streams say something that no header can carry, and which counts those that are open. */
function withHostileStreams(manager: ImageManager, facts: object) {
  const open = new Set<object>();
  const get: ImageManager["get"] = async (...args) => {
    const stream = await manager.get(...args);
    const reader = stream.getReader();
    open.add(reader);
    const counted = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        open.delete(reader);
        controller.close();
      },
      async cancel(reason) {
        open.delete(reader);
        await reader.cancel(reason);
      },
    });
    const { deviceType, mime, size, etag, origin } = stream;
    return Object.assign(counted, {
      deviceType,
      version,
      mime,
      size,
      etag,
      origin,
      committed: stream.committed,
      ...facts,
    }) as never;
  };
  return { manager: { ...manager, get } as ImageManager, open: () => open.size };
}

test.each<[string, object, HeadersInit]>([
  ["a mime", { mime: "a\nb" }, {}],
  ["an ETag", { etag: '"\n"' }, {}],
  ["a date that is no time", { lastModified: new Date(Number.NaN) }, { range: "bytes=0-9" }],
  ["a date that is no date", { lastModified: "yesterday" }, {}],
  ["of a part an ETag", { etag: '"\n"' }, { range: "bytes=0-9" }],
])(
  "%s that no header can carry, from a manager that is not ours, leaves no stream open and takes no place",
  async (_, facts, headers) => {
    const { manager } = createTestManager(api, { maxBytes: 1e9 });
    await manager.prefetch(slug, version);
    const hostile = withHostileStreams(manager, facts);
    const handler = createImageHandler(hostile.manager, { maxTransfers: 1 });
    for (let round = 0; round < 3; round++) {
      const response = await handler(new Request(url, { headers }));
      expect([200, 206, 500]).toContain(response.status);
      await response.body?.cancel();
      expect(hostile.open()).toBe(0);
    }
  },
);
