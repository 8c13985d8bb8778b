// After hundreds of gets that went well, were left, failed or came out of the cache, nothing is left behind.
import { getEventListeners } from "node:events";
import { readdir, readlink } from "node:fs/promises";
import { afterAll, expect, test } from "vitest";
import type { GetOptions, ImageManager } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { keysOf, processOver, readSome, settled, stores } from "./support.ts";

const imageBytes = 2 * chunkBytes;
const api = await sharedApi({ imageBytes });
const sha256 = await api.image(slug, version).sha256;
const raw = { fileType: ".img" } as const;
const atATime = 8;

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
process.on("unhandledRejection", note);
afterAll(() => void process.off("unhandledRejection", note));

/** What holds the process or its memory: by kind, and how many. Sockets are those of `fetch`'s own pool, and are bounded. */
async function resources() {
  const names = process.getActiveResourcesInfo();
  const count = (kind: RegExp) => names.filter((name) => kind.test(name)).length;
  const files = process.platform === "linux" ? await openFiles() : 0;
  return { timers: count(/Timeout|Immediate/), requests: count(/Req/), sockets: count(/TCP/), files };
}

/** Descriptors of files that have a path: of the store, and of the loopback API's packed images. */
async function openFiles(): Promise<number> {
  const descriptors = await readdir("/proc/self/fd");
  const targets = await Promise.all(
    descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")),
  );
  return targets.filter((target) => /^\/(?!dev\/|proc\/)/.test(target)).length;
}

/** Notes the signals of all AbortControllers that are made until `release`. */
function captureSignals() {
  const signals: AbortSignal[] = [];
  const Original = AbortController;
  globalThis.AbortController = class extends Original {
    constructor() {
      super();
      signals.push(this.signal);
    }
  };
  return {
    release() {
      globalThis.AbortController = Original;
      return signals;
    },
  };
}

type Round = (
  manager: ImageManager,
  options: GetOptions,
  signal: AbortSignal | undefined,
) => Promise<unknown>;
const get: Round = async (manager, options, signal) =>
  collect(await manager.get(slug, version, { ...options, signal }));

/** Each with the long-lived signal, or one of its own that is aborted. */
const rounds: Record<string, Round> = {
  "a whole image": get,
  "one that is left": async (manager, options, signal) => {
    const stream = await manager.get(slug, version, { ...options, signal });
    await readSome(stream, 1);
    await stream.cancel();
  },
  "one that is aborted while it is read": async (manager, options, signal) => {
    const abort = new AbortController();
    const stream = await manager.get(slug, version, {
      ...options,
      signal: AbortSignal.any([abort.signal, ...(signal ? [signal] : [])]),
    });
    const reading = collect(stream).catch(() => undefined);
    abort.abort();
    await reading;
  },
  "one that is aborted before it begins": async (manager, options) => {
    const abort = new AbortController();
    const getting = manager.get(slug, version, { ...options, signal: abort.signal });
    abort.abort();
    await getting.catch(() => undefined);
  },
  "one that nobody reads, and whose commit nobody awaits": async (manager, options, signal) => {
    const stream = await manager.get(slug, version, { ...options, signal });
    void stream.committed();
    await stream.cancel();
  },
  "a range": (manager, options, signal) => get(manager, { ...options, range: { start: 5, end: 10 } }, signal),
  "one past the cache": (manager, options, signal) => get(manager, { ...options, cache: "no-store" }, signal),
  "a fresh download": (manager, options, signal) => get(manager, { ...options, cache: "reload" }, signal),
};

/** What is wrong upstream while the rounds of a batch run. */
const troubles = [
  {},
  { lose: { atPercent: 50 } },
  { refuse: { status: 503 } },
  { refuse: { status: 404 } },
  { endShort: { how: "chunked", atPercent: 50 } },
  { change: { content: false, validators: true } },
  { etag: "none", lastModified: "none", lose: { atPercent: 50, times: 3 } },
] as const;

test.each(stores)("hundreds of rounds over %s", async (name, newStore) => {
  const storage = await newStore();
  // The manager's own signal lives as long as it does, and nobody sees it from outside.
  const made = captureSignals();
  const { manager } = processOver(api, {
    storage,
    lease: { heartbeatMs: 5, ttlMs: 100, pollMs: 2 },
    retry: { attempts: 2, minDelayMs: 0, maxDelayMs: 0 },
  });
  const closing = made.release()[0]!;
  const longLived = new AbortController();
  await get(manager, raw, longLived.signal); // modules and pools are there from now on
  await settled(api, storage);
  const before = await resources();

  const total = name === "memory" ? 400 : 200;
  const all = Object.values(rounds);
  for (let done = 0; done < total; done += atATime) {
    const batch = done / atATime;
    api.faults.reset();
    Object.assign(api.faults, troubles[batch % troubles.length]);
    if (batch % 5 === 0) await manager.cleanCache();
    const options = batch % 3 === 0 ? {} : raw;
    const running = Array.from({ length: atATime }, (_, index) => all[(batch + index * 3) % all.length]!);
    await Promise.allSettled(
      running.map((round, index) => round(manager, options, index % 2 === 0 ? longLived.signal : undefined)),
    );
    if (batch % 10 === 0) api.counters.reset(); // the log of hundreds of requests is none of the library's
  }

  api.faults.reset();
  expect(await get(manager, raw, longLived.signal)).toMatchObject({ sha256 });
  await settled(api, storage);
  expect(await keysOf(storage, /:leases:.*:\d+$/)).toEqual([]);
  for (const signal of [longLived.signal, closing]) expect(getEventListeners(signal, "abort")).toEqual([]);
  await manager.close();
  await eventually(async () => {
    const after = await resources();
    expect(after.timers).toBeLessThanOrEqual(before.timers);
    expect(after.requests).toBeLessThanOrEqual(before.requests);
    expect(after.files).toBeLessThanOrEqual(before.files);
    expect(after.sockets).toBeLessThanOrEqual(before.sockets + 4 * atATime);
  });
  expect(unhandled).toEqual([]);
});
