// Everything that can be done with a manager, and every way in which it can end: what the suite of what is left goes through.
import type {
  gzipEncoding,
  RunningServer,
  saveImage,
  serve,
  zstdEncoding,
} from "../../../src/adapters/node/index.ts";
import { createImageHandler } from "../../../src/core/http/index.ts";
import type { ImageManager, ImageManagerOptions, ImageStream, StoreDriver } from "../../../src/core/index.ts";
import { slug } from "../../contract/source/support.ts";
import { faultyDriver, type StoreFault } from "../../support/faulty-driver.ts";
import { equal, ok } from "./assert.ts";
import type { RemoteApi } from "./remote-api.ts";

/** What an operation works with. All that it gets here is looked after when it is over. */
export interface OperationBench {
  readonly api: RemoteApi;
  readonly store: StoreDriver;
  /** Makes a manager, over the store unless told otherwise. */
  manager(options?: Partial<ImageManagerOptions>): ImageManager;
  /** Makes a caller's signal. */
  abort(): { readonly signal: AbortSignal; abort(reason: unknown): void };
  /** Looks after a signal that is there already. */
  watch(signal: AbortSignal): void;
}

/** What only a runtime with Node's modules has. */
export interface NodeParts {
  readonly saveImage: typeof saveImage;
  readonly serve: typeof serve;
  readonly gzipEncoding: typeof gzipEncoding;
  readonly zstdEncoding: typeof zstdEncoding;
  /** The path of a file that does not exist. */
  newPath(): string;
}

/** One way to use a manager. It leaves its managers open: the suite closes them, and then looks. */
export type Operation = (bench: OperationBench) => Promise<void>;

const version = "6.1.0";
const raw = { fileType: ".img" } as const;
const reason = new Error("changed my mind");

/** By name. */
export const operations: Readonly<Record<string, Operation>> = {
  "get: whole": async ({ manager, abort }) => {
    await drain(await manager().get(slug, version, { signal: abort().signal }));
  },
  "get: a range": async ({ manager, abort }) => {
    const range = { start: 300_000, end: 600_000 };
    await drain(await manager().get(slug, version, { range, signal: abort().signal }));
  },
  "get: left half-way": async ({ api, manager, abort }) => {
    await api.setFaults({ stall: { atPercent: 50 } });
    await leave(await manager().get(slug, version, { signal: abort().signal }));
  },
  "get: never read": async ({ manager, abort }) => {
    await manager().get(slug, version, { signal: abort().signal });
  },
  "get: aborted": async ({ api, manager, abort }) => {
    await api.setFaults({ stall: { atPercent: 50 } });
    const { signal, abort: leaveIt } = abort();
    const reader = (await manager().get(slug, version, { signal })).getReader();
    await reader.read();
    leaveIt(reason);
    equal(await failureOf(drained(reader)), reason);
  },
  "get: aborted before its answer": async ({ api, manager, abort }) => {
    await api.setFaults({ latencyMs: 60_000 });
    const { signal, abort: leaveIt } = abort();
    const getting = failureOf(manager().get(slug, version, { signal }));
    while ((await api.counters()).openConnections === 0) await pause(5);
    leaveIt(reason);
    equal(await getting, reason);
  },
  "get: aborted between two tries": async ({ api, manager, abort }) => {
    await api.setFaults({ refuse: { status: 503, retryAfter: 25 } });
    const { signal, abort: leaveIt } = abort();
    const retry = { attempts: 5, minDelayMs: 1, maxDelayMs: 60_000 };
    const getting = failureOf(manager({ retry }).get(slug, version, { signal }));
    while ((await api.counters()).downloads === 0) await pause(5);
    leaveIt(reason);
    equal(await getting, reason);
  },
  "get: closed between two tries": async ({ api, manager }) => {
    await api.setFaults({ refuse: { status: 503, retryAfter: 25 } });
    const images = manager({ retry: { attempts: 5, minDelayMs: 1, maxDelayMs: 60_000 } });
    const getting = failureOf(images.get(slug, version));
    while ((await api.counters()).downloads === 0) await pause(5);
    await images.close();
    ok(await getting);
  },
  "get: a connection is lost and the rest comes": async ({ api, manager, abort }) => {
    await api.setFaults({ lose: { atPercent: 50, times: 1 } });
    await drain(await manager().get(slug, version, { signal: abort().signal }));
  },
  "get: a body that always ends short": async ({ api, manager, abort }) => {
    await api.setFaults({ endShort: { atPercent: 60, how: "chunked" } });
    ok(await failureOf(manager().get(slug, version, { signal: abort().signal }).then(drain)));
  },
  "get: a body that falls silent": async ({ api, manager, abort }) => {
    await api.setFaults({ stall: { atPercent: 60 } });
    const images = manager({ retry: { attempts: 2, minDelayMs: 1, maxDelayMs: 2, idleTimeoutMs: 100 } });
    ok(await failureOf(images.get(slug, version, { signal: abort().signal }).then(drain)));
  },
  "get: no such version": async ({ manager, abort }) => {
    ok(await failureOf(manager().get(slug, "9.9.9", { signal: abort().signal })));
  },
  "get: from the cache": async ({ manager, abort }) => {
    const images = manager({ freshness: { maxAgeMs: 1e9 } });
    await images.prefetch(slug, version);
    const image = await images.get(slug, version, { signal: abort().signal });
    equal(image.origin, "cache");
    await drain(image);
  },
  "get: from the cache, left half-way": async ({ manager, abort }) => {
    const images = manager({ freshness: { maxAgeMs: 1e9 } });
    await images.prefetch(slug, version);
    await leave(await images.get(slug, version, { signal: abort().signal }));
  },
  "get: from the cache, confirmed": async ({ api, manager, abort }) => {
    await api.setFaults({ etag: "strong" });
    const images = manager();
    await images.prefetch(slug, version);
    await drain(await images.get(slug, version, { signal: abort().signal }));
  },
  "get: past the cache": async ({ manager, abort }) => {
    await drain(await manager().get(slug, version, { cache: "no-store", signal: abort().signal }));
  },
  "get: stale": async ({ api, manager, abort }) => {
    const images = manager();
    await images.prefetch(slug, version);
    await api.setFaults({ refuse: { status: 503 } });
    const image = await images.get(slug, version, { signal: abort().signal });
    equal(image.origin, "stale");
    await drain(image);
  },
  "get: a chunk is healed by a range": async ({ api, store, manager, abort }) => {
    await api.setFaults({ ranges: "on", etag: "strong" });
    const images = manager({ freshness: { maxAgeMs: 1e9 } });
    await images.prefetch(slug, version, raw);
    await loseChunk(store);
    await drain(await images.get(slug, version, { ...raw, signal: abort().signal }));
  },
  "get: a chunk is healed by a whole download": async ({ store, manager, abort }) => {
    const images = manager({ freshness: { maxAgeMs: 1e9 } });
    await images.prefetch(slug, version);
    await loseChunk(store);
    await drain(await images.get(slug, version, { signal: abort().signal }));
  },
  "get: a chunk that can't be healed": async ({ api, store, manager, abort }) => {
    const images = manager({ freshness: { maxAgeMs: 1e9 } });
    await images.prefetch(slug, version);
    await loseChunk(store);
    await api.setFaults({ refuse: { status: 503 } });
    ok(await failureOf(images.get(slug, version, { signal: abort().signal }).then(drain)));
  },
  "get: left while a chunk is healed": async ({ api, store, manager, abort }) => {
    await api.setFaults({ ranges: "on", etag: "strong" });
    const images = manager({ freshness: { maxAgeMs: 1e9 } });
    await images.prefetch(slug, version, raw);
    await loseChunk(store);
    await api.setFaults({ stall: { atByte: 1_000 } });
    const { signal, abort: leaveIt } = abort();
    const reading = failureOf(images.get(slug, version, { ...raw, signal }).then(drain));
    while ((await api.counters()).openConnections === 0) await pause(5);
    leaveIt(reason);
    equal(await reading, reason);
  },
  "get: the store fails to write": withStoreFault({ operation: "setItemRaw", does: "throw" }),
  "get: the store fails to read": withStoreFault({ operation: "getItemRaw", does: "throw" }),
  "get: the store fails to list": withStoreFault({ operation: "getKeys", does: "throw" }),
  "get: the store fails to give a lease": withStoreFault({ operation: "createIfAbsent", does: "throw" }),
  "get: the store says no word": withStoreFault({ operation: "setItemRaw", does: "hang" }),
  prefetch: async ({ manager, abort }) => {
    await manager().prefetch(slug, version, { signal: abort().signal });
  },
  "prefetch: aborted": async ({ api, manager, abort }) => {
    await api.setFaults({ stall: { atPercent: 50 } });
    const { signal, abort: leaveIt } = abort();
    const fetching = failureOf(manager().prefetch(slug, version, { signal }));
    while ((await api.counters()).openConnections === 0) await pause(5);
    leaveIt(reason);
    equal(await fetching, reason);
  },
  "resolve, versions": async ({ manager, abort }) => {
    const { signal } = abort();
    await manager().resolve(slug, "^6.0.0", { signal });
    await manager().versions(slug, { signal });
  },
  "resolve: aborted": async ({ api, manager, abort }) => {
    await api.delayMetadata(60_000);
    const { signal, abort: leaveIt } = abort();
    const resolving = failureOf(manager().resolve(slug, "latest", { signal }));
    await pause(50);
    leaveIt(reason);
    equal(await resolving, reason);
    await api.delayMetadata(0);
  },
  "resolve: no API": async ({ api, manager, abort }) => {
    await api.failMetadata({});
    ok(await failureOf(manager().resolve(slug, "latest", { signal: abort().signal })));
  },
  "inspect, isFresh": async ({ manager }) => {
    const images = await filled(manager());
    ok(await images.inspect(slug, version));
    ok(await images.isFresh(slug, version));
  },
  "pin, unpin, remove": async ({ manager }) => {
    const images = await filled(manager());
    ok(await images.pin(slug, version));
    ok(await images.unpin(slug, version));
    ok(await images.remove(slug, version));
  },
  "list: whole, and left at once": async ({ manager }) => {
    const images = await filled(manager());
    for await (const { id } of images.list()) ok(id);
    for await (const { id } of images.list()) if (id) break;
  },
  prune: async ({ manager }) => {
    const images = await filled(manager());
    equal((await images.prune({ maxBytes: 0 })).evicted.length, 1);
  },
  verify: async ({ store, manager, abort }) => {
    const images = await filled(manager());
    await loseChunk(store);
    equal((await images.verify({ signal: abort().signal })).damaged.length, 1);
  },
  "verify: aborted": async ({ manager, abort }) => {
    const images = await filled(manager());
    const { signal, abort: leaveIt } = abort();
    const onProgress = () => leaveIt(reason);
    equal(await failureOf(images.verify({ signal, onProgress })), reason);
  },
  "verify: with repair": async ({ api, store, manager, abort }) => {
    await api.setFaults({ ranges: "on", etag: "strong" });
    const images = manager();
    await images.prefetch(slug, version, raw);
    await loseChunk(store);
    const { damaged } = await images.verify({ repair: true, signal: abort().signal });
    equal(damaged[0]?.isRepaired, true);
  },
  cleanCache: async ({ manager }) => {
    await (await filled(manager())).cleanCache();
  },
  "handler: whole": async ({ manager, watch }) => {
    const response = await handlerOf(manager())(newRequest(watch).request);
    equal(response.status, 200);
    await response.arrayBuffer();
  },
  "handler: a client that leaves": async ({ api, manager, watch }) => {
    await api.setFaults({ stall: { atPercent: 50 } });
    const response = await handlerOf(manager())(newRequest(watch).request);
    await leave(response.body!);
  },
  "handler: a client that aborts": async ({ api, manager, watch }) => {
    await api.setFaults({ stall: { atPercent: 50 } });
    const { request, leave: leaveIt } = newRequest(watch);
    const response = await handlerOf(manager())(request);
    const reader = response.body!.getReader();
    await reader.read();
    leaveIt();
    ok(await failureOf(drained(reader)));
  },
  "two managers: one follows": async ({ api, manager, abort }) => {
    await api.setFaults({ linkBytesPerSecond: 4 * 1024 * 1024 });
    const both = [manager(), manager()].map((images) =>
      images.get(slug, version, { signal: abort().signal }),
    );
    await Promise.all((await Promise.all(both)).map(drain));
  },
  "two managers: the one that is followed is closed": async ({ api, manager, abort }) => {
    await api.setFaults({ linkBytesPerSecond: 2 * 1024 * 1024 });
    const [first, second] = [manager(), manager()];
    const begun = await first.get(slug, version);
    const following = second.get(slug, version, { signal: abort().signal }).then(drain);
    await leave(begun);
    await first.close();
    await following;
  },
};

/** Those that need Node's modules. */
export const nodeOperations: Readonly<
  Record<string, (bench: OperationBench, node: NodeParts) => Promise<void>>
> = {
  saveImage: async ({ manager, abort }, { saveImage, newPath }) => {
    await saveImage(manager(), slug, version, newPath(), { signal: abort().signal });
  },
  "saveImage: aborted": async ({ api, manager, abort }, { saveImage, newPath }) => {
    await api.setFaults({ stall: { atPercent: 50 } });
    const { signal, abort: leaveIt } = abort();
    const saving = failureOf(
      saveImage(manager(), slug, version, newPath(), { signal, onProgress: () => leaveIt(reason) }),
    );
    equal(await saving, reason);
  },
  "saveImage: fails": async ({ api, manager, abort }, { saveImage, newPath }) => {
    await api.setFaults({ endShort: { atPercent: 60, how: "chunked" } });
    ok(await failureOf(saveImage(manager(), slug, version, newPath(), { signal: abort().signal })));
  },
  "serve: whole": async ({ manager, abort }, { serve }) => {
    const server = await serve(handlerOf(manager()), { signal: abort().signal });
    await (await ask(server)).arrayBuffer();
    await server.close();
  },
  "serve: a client that leaves": async ({ api, manager, abort }, { serve }) => {
    await api.setFaults({ stall: { atPercent: 50 } });
    const server = await serve(handlerOf(manager()), { signal: abort().signal });
    await leave((await ask(server)).body!);
    await server.close();
  },
  "serve: closed while it sends": async ({ api, manager, abort }, { serve }) => {
    await api.setFaults({ stall: { atPercent: 50 } });
    const server = await serve(handlerOf(manager()), { signal: abort().signal, closeTimeoutMs: 50 });
    const reader = (await ask(server)).body!.getReader();
    await reader.read();
    await server.close();
    ok(await failureOf(drained(reader)));
  },
};

function withStoreFault(fault: StoreFault): Operation {
  return async ({ store, manager, abort }) => {
    const options = { storage: faultyDriver(store, fault), storeTimeoutMs: 200 };
    const image = await manager(options).get(slug, version, { signal: abort().signal });
    await drain(image);
  };
}

const handlerOf = (manager: ImageManager) => createImageHandler(manager, { authorize: () => true });
/** The signal that counts is the request's own: how it hangs on the client's is the runtime's affair. */
function newRequest(watch: OperationBench["watch"]) {
  const client = new AbortController();
  const request = new Request(`http://localhost/images/${slug}/${version}`, { signal: client.signal });
  watch(request.signal);
  return { request, leave: () => client.abort(reason) };
}

const ask = ({ url }: RunningServer) => fetch(`${url}/images/${slug}/${version}`);

async function filled(images: ImageManager): Promise<ImageManager> {
  await images.prefetch(slug, version);
  return images;
}

async function loseChunk(store: StoreDriver): Promise<void> {
  const [key] = (await store.getKeys("balena-images:v1:chunks:", {})).sort();
  await store.removeItem?.(key!, {});
}

async function drain(image: ReadableStream<unknown>): Promise<void> {
  await drained(image.getReader());
}

async function drained(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
  while (!(await reader.read()).done);
}

async function leave(image: ReadableStream<unknown> | ImageStream): Promise<void> {
  const reader = image.getReader();
  await reader.read();
  await reader.cancel();
}

/** What a promise rejects with. */
function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (failure: unknown) => failure ?? new Error("rejected with nothing"),
  );
}

const pause = (delayMs: number) => new Promise((resolve) => setTimeout(resolve, delayMs));
