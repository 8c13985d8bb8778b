// What a manager must do on every runtime: deliver, cache, resume, keep secrets, stop, share. Over the plain-fetch source.
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { createImageManager, type ImageManager, type ImageManagerEvent } from "../../../src/core/index.ts";
import type { ImageManagerOptions, ImageStream, StoreDriver } from "../../../src/core/types.ts";
import { rejection, slug } from "../../contract/source/support.ts";
import { deepEqual, equal, ok } from "./assert.ts";
import { editCases } from "./edits.ts";
import type { RuntimeHost } from "./host.ts";
import { mirrorCases } from "./mirror.ts";
import { type RemoteApi, startRemoteApi } from "./remote-api.ts";

/** A runner, and an empty store for each test. */
export interface ManagerHost extends Pick<RuntimeHost, "test" | "controlUrl"> {
  create(): StoreDriver | Promise<StoreDriver>;
}

/** What a case works with. */
export interface Bench {
  readonly api: RemoteApi;
  readonly store: StoreDriver;
  readonly events: ImageManagerEvent["type"][];
  /** A manager over the store. */
  manager(options?: Partial<ImageManagerOptions>, token?: string): ImageManager;
}

/** Registers one test for each case. */
export function managerSuite(host: ManagerHost): void {
  for (const [name, run] of Object.entries({ ...cases, ...editCases, ...mirrorCases }))
    host.test(name, () => withBench(host, run));
}

async function withBench(host: ManagerHost, run: (bench: Bench) => Promise<void>): Promise<void> {
  const [api, store] = [await startRemoteApi(host.controlUrl), await host.create()];
  const [managers, events]: [ImageManager[], ImageManagerEvent["type"][]] = [[], []];
  const manager: Bench["manager"] = (options, token) => {
    const made = createImageManager({
      source: balenaApiSource({
        apiUrl: api.url,
        configure: "upstream",
        ...(token !== undefined && { token }),
      }),
      storage: store,
      chunkBytes: 256 * 1024,
      retry: { attempts: 3, minDelayMs: 1, maxDelayMs: 20, idleTimeoutMs: 5_000 },
      lease: { heartbeatMs: 200, ttlMs: 2_000, pollMs: 20 },
      onEvent: ({ type }) => void events.push(type),
      ...options,
    });
    managers.push(made);
    return made;
  };
  try {
    await run({ api, store, events, manager });
  } finally {
    await Promise.all(managers.map((made) => made.close()));
    await store.dispose?.();
    await api.close();
  }
}

const version = "6.1.0";

const cases: Record<string, (bench: Bench) => Promise<void>> = {
  "a get delivers the image and stores it": async ({ api, manager }) => {
    const image = await manager().get(slug, version);
    deepEqual([image.origin, image.version], ["network", version]);
    const { size, sha256 } = await digestOf(image);
    deepEqual([size, sha256], [api.imageBytes, await api.sha256(slug, version)]);
    equal((await image.committed())?.size, api.imageBytes);
  },
  "a repeated get costs one request without a body, none within maxAge": async ({ api, manager }) => {
    await manager().prefetch(slug, version);
    for (const [maxAgeMs, requests] of [
      [0, 1],
      [60_000, 0],
    ]) {
      await api.takeRequests();
      const image = await manager({ freshness: { maxAgeMs } }).get(slug, version);
      equal(image.origin, "cache");
      equal((await digestOf(image)).sha256, await api.sha256(slug, version));
      equal((await api.takeRequests()).length, requests, `requests with maxAgeMs ${maxAgeMs}`);
    }
    equal((await api.counters()).transfers, 1);
  },
  "a range is those bytes, from the cache and from the network": async ({ manager }) => {
    const images = manager();
    const range = { start: 300_000, end: 900_001 };
    const wanted = await bytesOf(await images.get(slug, version, { range }));
    const all = await bytesOf(await images.get(slug, version));
    equal(wanted.length, range.end - range.start);
    equal(await sha256Of(wanted), await sha256Of(all.slice(range.start, range.end)));
    const again = await images.get(slug, version, { range });
    equal(again.origin, "cache");
    equal(await sha256Of(await bytesOf(again)), await sha256Of(wanted));
  },
  "a semver range and latest pick the versions of the table": async ({ manager }) => {
    const images = manager();
    const asked = ["^6.0.0", "latest", "recommended", "~2.60.0", "2021.10.2", "2023.x"];
    const picked = await Promise.all(asked.map((wanted) => images.resolve("raspberry-pi4", wanted)));
    const table = ["6.1.0", "6.2.0-beta.1", "6.1.0", "2.60.1+rev2.prod", "2021.10.2.prod", "2023.10.1"];
    deepEqual(picked, table);
  },
  "development and production images never meet": async ({ api, manager }) => {
    const images = manager();
    const digests = [false, true, false].map(async (developmentMode) => {
      const { sha256 } = await digestOf(await images.get(slug, version, { developmentMode }));
      return sha256 === (await api.sha256(slug, version, { developmentMode }));
    });
    deepEqual(await Promise.all(digests), [true, true, true]);
    ok((await api.sha256(slug, version)) !== (await api.sha256(slug, version, { developmentMode: true })));
    equal((await api.counters()).transfers, 2);
  },
  "a development image is made of the plain one, without a byte more": async ({ api, manager }) => {
    const images = manager({ source: balenaApiSource({ apiUrl: api.url }) });
    await images.prefetch(slug, version);
    const image = await images.get(slug, version, { developmentMode: true });
    const bytes = await bytesOf(image);
    deepEqual([image.origin, image.edited, bytes.length], ["cache", "repeatable", api.imageBytes]);
    ok(new TextDecoder("latin1").decode(bytes).includes('"developmentMode":true'));
    equal((await api.counters()).transfers, 1);
  },
  "a lost connection is resumed": async ({ api, events, manager }) => {
    await api.setFaults({ lose: { atPercent: 50, times: 1 } });
    const { sha256 } = await digestOf(await manager().get(slug, version));
    equal(sha256, await api.sha256(slug, version));
    ok(events.includes("resumed"), `events: ${events}`);
  },
  "a body that always ends short is an error, and nothing is stored": async ({ api, manager }) => {
    await api.setFaults({ endShort: { atPercent: 60, how: "chunked" } });
    const images = manager({ retry: { attempts: 2, minDelayMs: 1, maxDelayMs: 2 } });
    const error = await rejection(images.get(slug, version).then(digestOf));
    equal(error.code, "TRUNCATED_DOWNLOAD", error.message);
    equal(await images.inspect(slug, version), undefined);
  },
  "a content coding that nobody asked for is undone, or refused; packed bytes are never delivered": async (
    bench,
  ) => {
    const { api, manager } = bench;
    await api.setFaults({ contentCoding: "forced" });
    const sha256 = await api.sha256(slug, version);
    for (const options of [{}, { fileType: ".img" }] as const)
      equal((await digestOf(await manager().get(slug, version, options))).sha256, sha256, "SHA-256");
    const failure = await rejection(
      manager({ retry: { attempts: 1 } }).get(slug, version, { fileType: ".gz" }),
    );
    equal((failure as { code?: string }).code, "UPSTREAM", "code");
  },
  "zeros after a gzip file are padding, other bytes an error": async ({ api, manager }) => {
    await api.setFaults({ extraBytes: 1000, extraByte: 0 });
    const image = await manager().get(slug, version);
    equal((await digestOf(image)).sha256, await api.sha256(slug, version), "SHA-256");
    ok((await image.committed()) !== undefined, "it is committed");
    await api.setFaults({ extraBytes: 1000, extraByte: 0x2a });
    const failure = await rejection(manager().get(slug, version, { cache: "reload" }).then(digestOf));
    ok(
      ["UPSTREAM", "TRUNCATED_DOWNLOAD"].includes(String((failure as { code?: string }).code)),
      String(failure),
    );
  },
  "a redirect to another origin drops the token": async ({ api, manager }) => {
    await api.setFaults({ redirect: { to: "other-origin" } });
    const { size } = await digestOf(await manager({}, api.token).get("acme-gateway", "6.1.1"));
    equal(size, api.imageBytes);
    const requests = await api.takeRequests();
    const tokens = (listener: "api" | "files") =>
      requests
        .filter((request) => request.listener === listener)
        .map(({ headers }) => headers["authorization"]);
    ok(tokens("api").every((token) => token === `Bearer ${api.token}`) && tokens("api").length > 0);
    deepEqual(tokens("files"), [undefined]);
  },
  "an abort ends the stream with its reason, and the connection": async ({ api, manager }) => {
    await api.setFaults({ linkBytesPerSecond: 512 * 1024 });
    const abort = new AbortController();
    const image = await manager().get(slug, version, { signal: abort.signal });
    const reader = image.getReader();
    await reader.read();
    const reason = new Error("changed my mind");
    abort.abort(reason);
    equal(await rejection<unknown>(drained(reader)), reason);
    await until(async () => (await api.counters()).openConnections === 0);
  },
  "two managers over one store share one transfer": async ({ api, store, manager }) => {
    await api.setFaults({ linkBytesPerSecond: 2 * 1024 * 1024 });
    const images = await Promise.all([1, 2].map(() => manager().get(slug, version).then(digestOf)));
    const sha256 = await api.sha256(slug, version);
    for (const image of images) equal(image.sha256, sha256);
    equal((await api.counters()).transfers, store.createIfAbsent === undefined ? 2 : 1);
  },
  "an unreachable upstream is outlived by the cache": async ({ api, manager }) => {
    await manager().prefetch(slug, version);
    const sha256 = await api.sha256(slug, version);
    await api.setFaults({ refuse: { status: 503 } });
    const image = await manager({ retry: { attempts: 1 } }).get(slug, version);
    equal(image.origin, "stale");
    equal((await digestOf(image)).sha256, sha256);
  },
  "no failure and no event tells a token, a key or a query": async ({ api, manager }) => {
    const told: unknown[] = [];
    const options = { onEvent: (event: ImageManagerEvent) => void told.push(event), retry: { attempts: 1 } };
    const secret = { network: "wifi", wifiSsid: "planted-network", wifiKey: "planted-key-1" } as const;
    for (const token of [api.token, "planted-token-1"]) {
      // A server may well echo what it was sent.
      const body = `${token} ${secret.wifiKey}`;
      const broken = [{ lose: { atPercent: 50 } }, { lose: { atPercent: 50, reset: true } }];
      for (const fault of [...broken, { refuse: { status: 403, body } }, { refuse: { status: 500, body } }]) {
        await api.setFaults(fault);
        told.push(await rejection(manager(options, token).get(slug, version, secret).then(digestOf)));
      }
    }
    const texts = told.flatMap((value) => textsIn(value));
    ok(texts.length > 20, "there is much to look at");
    for (const text of texts) {
      ok(!/planted-(key|token)/.test(text), text);
      ok(!text.includes(api.token), text);
      ok(!/wifiKey=|[?&]version=/.test(text), text);
    }
  },
  "close and await using end a manager": async ({ manager }) => {
    const images = manager();
    {
      await using own = images;
      await own.resolve(slug, "latest");
    }
    equal((await rejection(images.get(slug, version))).code, "CLOSED");
  },
};

async function digestOf(image: ImageStream): Promise<{ size: number; sha256: string }> {
  const bytes = await bytesOf(image);
  return { size: bytes.length, sha256: await sha256Of(bytes) };
}

async function bytesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function drained(reader: ReadableStreamDefaultReader): Promise<void> {
  while (!(await reader.read()).done);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let left = 100; !(await isSo()); left--) {
    if (left === 0) throw new Error("It did not come to pass within 5 seconds");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Every text in a value: in errors with their stacks, causes and whatever else hangs on them. */
function textsIn(value: unknown, depth = 0): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || depth > 6) return [];
  return Object.getOwnPropertyNames(value).flatMap((name) =>
    textsIn((value as Record<string, unknown>)[name], depth + 1),
  );
}
