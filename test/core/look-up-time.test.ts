/** Look-ups have one time limit, whatever the source and the API do; a copy in the cache is not kept waiting for longer. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { monotonicMs } from "../../src/core/clock.ts";
import { collect, rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 512 * 1024 });
const sources = [
  ["balenaApiSource", balenaApiSource],
  ["balenaSdkSource", balenaSdkSource],
] as const;
/** For an API of which no answer is expected. */
const shortMs = 100;
/** For what has to be in time: one sixth of it, or less, is how long the fake API takes. */
const lookUpTimeoutMs = 600;
/** Far more than any limit here: a busy machine is late. A hundred tries without a limit in all would take longer. */
const muchLaterMs = 9_000;
const late = { code: "UPSTREAM", status: undefined, unavailable: true };

async function timed<T>(run: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const begun = monotonicMs();
  const result = await run();
  return { result, ms: monotonicMs() - begun };
}

describe.each(sources)("an API that accepts and never answers, asked by %s", (_, source) => {
  let server: Server;
  let url: string;
  let asked = 0;
  beforeAll(async () => {
    server = createServer(() => {
      asked += 1;
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await source({ apiUrl: api.url }).versions(slug, {}); // what is imported late is imported now
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test.each([
    ["no token", undefined],
    ["a token", api.token],
  ])("with %s is given up in time", async (_name, token) => {
    const options = {
      source: source({ apiUrl: url, token }),
      lookUpTimeoutMs: shortMs,
      retry: { attempts: 100 },
    };
    const { manager } = createTestManager(api, options);
    for (const ask of [() => manager.versions(slug), () => manager.get(slug, version)]) {
      const { result, ms } = await timed(() => rejection(ask()));
      expect(result).toMatchObject(late);
      expect(ms).toBeGreaterThanOrEqual(shortMs);
      expect(ms).toBeLessThan(muchLaterMs);
    }
  });

  test.each([
    ["no token", undefined],
    ["a token", api.token],
  ])("keeps a cached copy waiting no longer than that, with %s", async (_name, token) => {
    const storage = memoryAdapter();
    const seeded = createTestManager(api, { storage, source: source({ apiUrl: api.url, token }) });
    await seeded.manager.prefetch(slug, version);
    // The same upstream as far as anybody can tell, but it has stopped answering.
    const stopped: typeof fetch = (_url, init) => {
      asked += 1;
      return new Promise((_, reject) =>
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)),
      );
    };
    const hung = { ...source({ apiUrl: url, token }), id: api.url };
    const scope = source({ apiUrl: api.url, token }).scope!; // the token, without the API
    const { manager } = createTestManager(api, {
      ...{ storage, lookUpTimeoutMs, fetch: stopped, retry: { attempts: 100 } },
      source: { ...hung, scope },
    });
    for (const wanted of ["^6.0.0", version]) {
      asked = 0;
      const { result, ms } = await timed(() => manager.get(slug, wanted));
      expect(result.origin).toBe("stale");
      expect(ms).toBeLessThan(muchLaterMs);
      expect(asked, wanted).toBe(1); // it is not tried again, which would take six times as long
      expect((await collect(result)).bytes).toBe(512 * 1024);
    }
  });
});

describe("an answer that comes slowly", () => {
  let server: Server;
  let url: string;
  let answer: (response: ServerResponse) => Promise<void>;
  const body = Buffer.from(JSON.stringify({ d: [{ slug }] }));
  beforeAll(async () => {
    server = createServer((_, response) => void answer(response)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  /** A slow API. */
  const trickle = async (response: ServerResponse, everyMs: number, pieces: number) => {
    for (let i = 0; i < pieces && !response.destroyed; i++) {
      response.write(i === pieces - 1 ? body : " ");
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    response.end();
  };

  test("is waited for as long as bytes come, but not for ever", async () => {
    const source = balenaApiSource({ apiUrl: url });
    const { manager } = createTestManager(api, { source, lookUpTimeoutMs, retry: { attempts: 1 } });
    answer = (response) => trickle(response, lookUpTimeoutMs / 6, 9);
    // The device type is found; the next answer is no version list, but it is an answer.
    expect(await rejection(manager.versions(slug))).toMatchObject({
      code: "UPSTREAM",
      message: /Could not list/,
    });
    answer = (response) => trickle(response, lookUpTimeoutMs / 6, 1_000);
    const { result, ms } = await timed(() => rejection(manager.versions("intel-nuc")));
    expect(result).toMatchObject(late);
    expect(ms).toBeGreaterThanOrEqual(5 * lookUpTimeoutMs);
    expect(ms).toBeLessThan(muchLaterMs);
  });
});
