// What the tests of sharing work with: stores of both kinds, a source without look-ups, and readers of every manner.
import { expect } from "vitest";
import { downloadRequest } from "../../../src/adapters/balena/download.ts";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageSource, ImageStream, StoreDriver } from "../../../src/core/index.ts";
import { sleep } from "../../../src/core/waiting.ts";
import type { BalenaApi } from "../../support/balena-api/index.ts";
import { eventually } from "../../support/eventually.ts";
import { newBase } from "../../support/fs-store.ts";
import { version } from "../../support/shared-api.ts";
import { createTestManager, type TestManager, type TestManagerOptions } from "../../support/test-manager.ts";

export const MiB = 1024 * 1024;

/** The stores that every test of sharing runs on. */
export const stores: readonly (readonly [string, () => Promise<StoreDriver>])[] = [
  ["memory", async () => memoryAdapter()],
  ["fs", async () => fsAdapter({ base: await newBase() })],
];

/** Short, yet long enough that a busy machine does not make a live owner look dead. */
export const lease = { heartbeatMs: 100, ttlMs: 1_500, pollMs: 10 };
/** For tests in which somebody has to be passed over. */
export const shortLease = { heartbeatMs: 20, ttlMs: 250, pollMs: 10 };

/** A source that asks nothing but downloads, each with a token of its own. */
export function plainSource(api: { readonly url: string }): ImageSource & { readonly tokens: string[] } {
  const tokens: string[] = [];
  return {
    tokens,
    id: api.url,
    resolveDeviceType: async (slug) => slug,
    versions: async () => [{ version, line: "default", draft: false }],
    request: async (image) => {
      tokens.push(`token-${tokens.length}`);
      const request = downloadRequest(api.url, image);
      return { ...request, headers: { "x-attempt": tokens.at(-1)! } };
    },
  };
}

/** A manager over the API that stands for a process of its own. */
export function processOver(api: BalenaApi, options: TestManagerOptions = {}): TestManager {
  return createTestManager(api, { source: plainSource(api), lease, ...options });
}

/** Reads so many bytes and leaves the rest; the reader goes on from there. */
export async function readSome(stream: ImageStream, bytes: number) {
  const reader = stream.getReader();
  let read = 0;
  while (read < bytes) {
    const { done, value } = await reader.read();
    if (done) break;
    read += value.length;
  }
  reader.releaseLock();
  return read;
}

/** A stream that pauses before each piece. */
export async function* paced(stream: ImageStream, delayMs: number) {
  for await (const piece of stream) {
    yield piece;
    if (delayMs > 0) await sleep(delayMs);
  }
}

/** All keys of a store, or those of a kind. */
export async function keysOf(storage: TestManager["storage"], kind: RegExp = /(?:)/): Promise<string[]> {
  const keys = await (storage as StoreDriver).getKeys("balena-images:", {});
  return keys.filter((key) => kind.test(key)).sort();
}

/** Waits until nothing is on its way and nobody holds a lease. The head of a journal that waits to be taken up may stay. */
export async function settled(api: BalenaApi, storage: TestManager["storage"]): Promise<void> {
  await eventually(async () => {
    expect(api.counters.openConnections).toBe(0);
    expect(await keysOf(storage, /:leases:.*:\d+$/)).toEqual([]);
  });
}

/** First byte that the last download asked for. */
export function lastRangeStart(api: BalenaApi): number | undefined {
  const { range } = api.counters.requestLog.at(-1)!.headers;
  return range === undefined ? undefined : Number(/^bytes=(\d+)-$/.exec(range)?.[1]);
}
