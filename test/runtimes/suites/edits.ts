// What an edit must do on every runtime: the right bytes from network and cache, in ranges, without a store, over HTTP; and nothing stored.
import { bootFiles } from "../../../src/adapters/boot-files/index.ts";
import { createImageHandler } from "../../../src/core/http/index.ts";
import type { ImageEdit } from "../../../src/core/types.ts";
import { rejection, slug } from "../../contract/source/support.ts";
import { deepEqual, equal, ok } from "./assert.ts";
import type { Bench } from "./manager.ts";

const version = "6.1.0";
const fresh = { freshness: { maxAgeMs: 60_000 } };

/** Writes a text at the start and over the last bytes, and reads all over the image first. */
const edit: ImageEdit = async ({ size, read }) => {
  const ends = [await read(size - 8, size), await read(0, 8), await read(size >> 1, (size >> 1) + 8)];
  ok(
    ends.every(({ length }) => length === 8),
    "what was read",
  );
  return [
    { start: 3, bytes: text("planted-edit") },
    { start: size - 12, bytes: text("planted-edit") },
  ];
};

export const editCases: Record<string, (bench: Bench) => Promise<void>> = {
  "an edit is laid over an image from network and cache, without a store and in ranges": async ({
    api,
    manager,
  }) => {
    const images = manager(fresh);
    for (const [cache, origin] of [
      ["no-store", "network"],
      ["default", "network"],
      ["default", "cache"],
    ] as const) {
      const image = await images.get(slug, version, { edit, cache });
      deepEqual([image.origin, image.size, image.edited], [origin, api.imageBytes, "repeatable"]);
      const bytes = await bytesOf(image);
      deepEqual([textAt(bytes, 3), textAt(bytes, api.imageBytes - 12)], ["planted-edit", "planted-edit"]);
    }
    const part = await images.get(slug, version, { edit, range: { start: 5, end: 9 } });
    equal(new TextDecoder().decode(await bytesOf(part)), "ante");
    const plain = await bytesOf(await images.get(slug, version));
    equal(await sha256Of(plain), await api.sha256(slug, version), "the cached image is as before");
    const { transfers } = await api.counters();
    ok(transfers <= 3, `transfers: ${transfers}; without a store there may be two, with it one`);
  },
  "the ETag of an edit is a keyed hash": async ({ manager }) => {
    const etagOf = async (editKey?: string) => {
      const images = manager({ ...fresh, ...(editKey !== undefined && { editKey }) });
      await images.prefetch(slug, version);
      const image = await images.get(slug, version, { edit });
      await image.cancel();
      return image.etag;
    };
    const key = "a key of sixteen or more characters";
    equal(await etagOf(key), await etagOf(key));
    const random = [await etagOf(), await etagOf()];
    ok(random[0] !== random[1], "random keys");
  },
  "an edit that fails, or reads beyond the image, is a typed error": async ({ manager }) => {
    const images = manager(fresh);
    const failing: ImageEdit = () => Promise.reject(new Error("mine"));
    const failure = await rejection(images.get(slug, version, { edit: failing }));
    deepEqual([failure.code, (failure.cause as Error).message], ["EDIT", "mine"]);
    const beyond: ImageEdit = async ({ size, read }) => [{ start: 0, bytes: await read(size, size + 1) }];
    equal((await rejection(images.get(slug, version, { edit: beyond }))).code, "INVALID_ARGUMENT");
  },
  "an edit that never answers ends with the signal": async ({ manager }) => {
    const stop = new AbortController();
    const never: ImageEdit = () => {
      setTimeout(() => stop.abort(new Error("enough")), 20);
      return new Promise(() => {});
    };
    const failure = await rejection(manager().get(slug, version, { edit: never, signal: stop.signal }));
    equal(failure.message, "enough");
  },
  "a posted config.json comes back in the image, and nowhere else": async ({ api, manager }) => {
    const images = manager(fresh);
    const handler = createImageHandler(images, {
      authorize: async (request) => request.method !== "POST" || (await request.text()).includes("hostname"),
      edit: async (request) =>
        request.method === "POST"
          ? bootFiles({ "config.json": (await request.json()) as Record<string, unknown> })
          : undefined,
    });
    const url = `http://localhost/images/${slug}/${version}`;
    const body = JSON.stringify({ hostname: "planted-name" });
    const response = await handler(new Request(url, { method: "POST", body }));
    deepEqual([response.status, response.headers.get("cache-control")], [200, "no-store"]);
    ok(includes(new Uint8Array(await response.arrayBuffer()), "planted-name"), "it is in the image");
    const plain = await handler(new Request(url));
    equal(await sha256Of(new Uint8Array(await plain.arrayBuffer())), await api.sha256(slug, version));
    equal((await handler(new Request(url, { method: "POST", body: "{}" }))).status, 401);
  },
};

const text = (value: string) => new TextEncoder().encode(value);

const textAt = (bytes: Uint8Array, at: number) => new TextDecoder().decode(bytes.subarray(at, at + 12));

function includes(bytes: Uint8Array, value: string): boolean {
  const wanted = text(value);
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1))
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return true;
  return false;
}

async function bytesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
