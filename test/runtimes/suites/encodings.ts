// What encoded chunks must do on every runtime: be stored so, be read by every manager that can, and be put together to a .gz file.

import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { createImageHandler } from "../../../src/core/http/index.ts";
import { createImageManager, gzipEncoding } from "../../../src/core/index.ts";
import type {
  ChunkEncoding,
  ImageManager,
  ImageManagerOptions,
  StoreDriver,
} from "../../../src/core/types.ts";
import { rejection, slug } from "../../contract/source/support.ts";
import { deepEqual, equal, ok } from "./assert.ts";
import type { RuntimeHost } from "./host.ts";
import { type RemoteApi, startRemoteApi } from "./remote-api.ts";

/** A runner, an empty store for each test, and what is for Node and its like alone. */
export interface EncodingHost extends Pick<RuntimeHost, "test" | "skip" | "controlUrl" | "node"> {
  create(): StoreDriver | Promise<StoreDriver>;
}

const version = "6.1.0";
const chunkBytes = 256 * 1024;
const offline = { cache: "only-if-cached" } as const;

/** Registers one test for each encoding that the runtime can have. */
export function encodingSuite(host: EncodingHost): void {
  host.test("gzip of the web platform", () =>
    withStore(host, (store) => isStoredAndRead(store, gzipEncoding())),
  );
  const { node } = host;
  if (typeof node === "string") {
    host.skip("gzip and zstd of Node", node);
    return;
  }
  host.test("gzip of Node, and a .gz file of it", () =>
    withStore(host, async (store) => {
      await isStoredAndRead(store, node.gzipEncoding());
      await isOneGzFile(store);
    }),
  );
  host.test("zstd, and who can't read it", () =>
    withStore(host, async (store) => {
      await isStoredAndRead(store, node.zstdEncoding());
      await isReadOrNamed(store);
    }),
  );
}

/** A store, and managers over it. */
interface Stored {
  readonly api: RemoteApi;
  readonly store: StoreDriver;
  manager(options?: Partial<ImageManagerOptions>): ImageManager;
}

async function withStore(host: EncodingHost, run: (stored: Stored) => Promise<void>): Promise<void> {
  const [api, store] = [await startRemoteApi(host.controlUrl), await host.create()];
  const managers: ImageManager[] = [];
  const manager: Stored["manager"] = (options) => {
    const source = balenaApiSource({ apiUrl: api.url });
    const freshness = { maxAgeMs: 60_000 };
    const made = createImageManager({
      source,
      storage: store,
      chunkBytes,
      maxBytes: 1e9,
      freshness,
      ...options,
    });
    managers.push(made);
    return made;
  };
  try {
    await run({ api, store, manager });
  } finally {
    await Promise.all(managers.map((made) => made.close()));
    await api.close();
  }
}

const magic = { gzip: [0x1f, 0x8b], zstd: [0x28, 0xb5] };

async function isStoredAndRead({ api, store, manager }: Stored, encoding: ChunkEncoding): Promise<void> {
  const first = await manager({ encoding }).get(slug, version);
  const sha256 = await api.sha256(slug, version);
  equal(await sha256Of(first), sha256, "the first get");
  ok(await first.committed(), "a commit");
  const keys = await store.getKeys("balena-images:v1:chunks:", {});
  ok(keys.length > 1, "chunks");
  for (const key of keys) {
    const value = (await store.getItemRaw?.(key, {})) as Uint8Array;
    deepEqual([...value.slice(0, 2)], magic[encoding.format]);
  }
  equal(await sha256Of(await manager({ encoding }).get(slug, version, offline)), sha256, "a hit");
  if (encoding.format === "gzip")
    equal(await sha256Of(await manager().get(slug, version, offline)), sha256, "a hit without the option");
}

async function isOneGzFile({ api, manager }: Stored): Promise<void> {
  const handler = createImageHandler(manager());
  const response = await handler(new Request(`http://localhost/images/${slug}/${version}/gz`));
  equal(response.status, 200);
  const raw = response.body!.pipeThrough(new DecompressionStream("gzip"));
  equal(await sha256Of(raw), await api.sha256(slug, version), "what is in the file");
}

/** A runtime whose own streams know zstd reads it; any other one says what is missing. */
async function isReadOrNamed({ api, manager }: Stored): Promise<void> {
  const reading = manager().get(slug, version, offline).then(sha256Of);
  if (knowsZstd()) {
    equal(await reading, await api.sha256(slug, version));
    return;
  }
  const { code, format } = (await rejection(reading)) as { code?: string; format?: string };
  deepEqual([code, format], ["STORE", "zstd"]);
}

function knowsZstd(): boolean {
  try {
    return Boolean(new DecompressionStream("zstd" as CompressionFormat));
  } catch {
    return false;
  }
}

async function sha256Of(stream: ReadableStream<Uint8Array>): Promise<string> {
  const bytes = await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
