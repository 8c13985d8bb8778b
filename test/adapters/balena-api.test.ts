// The plain-fetch source: the source contract against a loopback API, and what is this source's own.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { UnauthorizedError } from "../../src/core/errors.ts";
import type { OsVersion } from "../../src/core/types.ts";
import { rejection } from "../contract/source/support.ts";
import { sourceContract } from "../contract/source-contract.ts";
import { type BalenaApi, startBalenaApi } from "../support/balena-api/index.ts";
import { steer } from "../support/steered-api.ts";

const imageBytes = 1024 * 1024;
const slug = "raspberrypi4-64";
const print = (value: unknown) => inspect(value, { depth: 10, showHidden: true });

describe("source contract", () => {
  sourceContract({
    test,
    assert,
    inspect: print,
    start: async () => steer(await startBalenaApi({ imageBytes }), imageBytes),
    source: balenaApiSource,
  });
});

describe("balena API source", () => {
  let api: BalenaApi;
  beforeEach(async () => {
    api = await startBalenaApi({ imageBytes });
  });
  afterEach(() => api.close());

  test("is for balenaCloud by default", () => {
    expect(balenaApiSource().id).toBe("https://api.balena-cloud.com");
  });

  test.each([slug, "generic-aarch64-esr", "jetson-preview", "no-release-yet"])(
    "lists the same versions of %s as the SDK, drafts too",
    async (deviceType) => {
      const listOf = async (source: typeof balenaApiSource | typeof balenaSdkSource) =>
        byVersion(await source({ apiUrl: api.url }).versions(deviceType, { includeDrafts: true }));
      expect(await listOf(balenaApiSource)).toEqual(await listOf(balenaSdkSource));
    },
  );

  test("each look-up is one request, and a request for an image is none", async () => {
    const source = balenaApiSource({ apiUrl: api.url, token: api.token });
    const image = { deviceType: slug, version: "6.1.0", fileType: ".gz", variant: {} } as const;
    const requestsOf = async (run: () => Promise<unknown>) => {
      api.counters.reset();
      await run();
      return api.counters.requests;
    };
    expect(await requestsOf(() => source.resolveDeviceType("raspberry-pi4", {}))).toBe(1);
    expect(await requestsOf(() => source.versions(slug, {}))).toBe(1);
    expect(await requestsOf(() => source.request(image))).toBe(0);
    expect(await requestsOf(async () => source.scope?.())).toBe(0);
  });

  test("a token function is asked anew for every request", async () => {
    const tokens = [undefined, api.token, undefined];
    const source = balenaApiSource({ apiUrl: api.url, token: async () => tokens.shift() });
    await source.versions(slug, {});
    await source.versions(slug, {});
    expect(await source.scope?.()).toBeUndefined();
    const sent = api.counters.requestLog.map(({ headers }) => headers.authorization);
    expect(sent).toEqual([undefined, `Bearer ${api.token}`]);
  });

  test.each([
    ["fails", () => Promise.reject(new Error("Bearer planted-secret"))],
    [
      "throws",
      () => {
        throw new Error("Bearer planted-secret");
      },
    ],
    ["gives what fits no header", () => "planted secret\n"],
    ["gives an empty one", () => ""],
  ])("a token function that %s is UNAUTHORIZED before any request", async (_, token) => {
    const source = balenaApiSource({ apiUrl: api.url, token });
    const image = { deviceType: slug, version: "6.1.0", fileType: ".gz", variant: {} } as const;
    for (const attempt of [
      source.versions(slug, {}),
      source.request(image),
      Promise.resolve(source.scope?.()),
    ]) {
      const error = await rejection(attempt);
      expect(error).toBeInstanceOf(UnauthorizedError);
      expect(print(error)).not.toContain("planted");
    }
    expect(api.counters.requests).toBe(0);
  });

  test("wrong options are INVALID_ARGUMENT", () => {
    for (const options of [{ token: 7 }, { token: null }, { fetch: "fetch" }, { apiUrl: 7 }] as object[]) {
      expect(() => balenaApiSource(options)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
  });

  test("no token follows a redirect, for none is followed", async () => {
    const requests: Request[] = [];
    const redirecting: typeof fetch = async (input, init) => {
      requests.push(new Request(input, init));
      return new Response(null, { status: 302, headers: { location: `${api.filesUrl}/v7/application` } });
    };
    const source = balenaApiSource({ apiUrl: api.url, token: api.token, fetch: redirecting });
    const error = await rejection(source.versions(slug, {}));
    expect(error).toMatchObject({ code: "UPSTREAM", status: 302, unavailable: false });
    expect(requests.map(({ redirect }) => redirect)).toEqual(["manual"]);
    expect(api.counters.requests).toBe(0);
  });

  test("a call is given 30 seconds, whether or not fetch heeds its signal", async () => {
    vi.useFakeTimers();
    try {
      const source = balenaApiSource({ apiUrl: api.url, fetch: () => new Promise(() => {}) });
      const outcome = rejection(source.versions(slug, {}));
      let isDone = false;
      void outcome.then(() => {
        isDone = true;
      });
      await vi.advanceTimersByTimeAsync(29_999);
      expect(isDone).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(await outcome).toMatchObject({ code: "UPSTREAM", status: undefined, unavailable: true });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("no timer is left when the answer is there", async () => {
    vi.useFakeTimers();
    try {
      // The real `fetch` of Node keeps timers of its own.
      const source = balenaApiSource({ apiUrl: api.url, fetch: async () => new Response('{"d":[]}') });
      expect(await source.versions(slug, {})).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("a body that stops is cut off with the call", async () => {
    const abort = new AbortController();
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([123])) });
    const source = balenaApiSource({ apiUrl: api.url, fetch: async () => new Response(body) });
    const outcome = rejection<unknown>(source.versions(slug, { signal: abort.signal }));
    setTimeout(() => abort.abort("enough"), 20);
    expect(await outcome).toBe("enough");
  });

  test.each([
    ["text", "<html>"],
    ["null", "null"],
    ["no list", '{"d":{}}'],
    ["rows that are none", '{"d":[7]}'],
    ["an application without releases", '{"d":[{"application_tag":[]}]}'],
    ["a release without a version", '{"d":[{"application_tag":[],"owns__release":[{}]}]}'],
    ["a slug that is a path", '{"d":[{"slug":"../../etc"}]}'],
    ["a slug that is none", '{"d":[{"slug":7}]}'],
  ])("an answer of %s is UPSTREAM, and nothing of it gets out", async (_, text) => {
    const source = balenaApiSource({ apiUrl: api.url, fetch: async () => new Response(text) });
    const attempt = text.includes("slug") ? source.resolveDeviceType(slug, {}) : source.versions(slug, {});
    expect(await rejection(attempt)).toMatchObject({ code: "UPSTREAM", unavailable: false });
  });

  test("a version that is no semver is told by tags; one without tags is left out", async () => {
    const release = (fields: object, tags: Record<string, string>) => ({
      raw_version: "0.0.0-7",
      is_final: true,
      ...fields,
      release_tag: Object.entries(tags).map(([tag_key, value]) => ({ tag_key, value })),
    });
    const owns__release = [
      release({}, { version: "2021.10.2", variant: "production" }),
      release({ variant: "dev" }, { version: "2021.10.2" }),
      release({}, { version: "2022.1.0" }),
      release({}, { version: "2022.1.1", variant: "custom" }),
      release({ variant: "dev" }, {}),
      release({ raw_version: "6.1.0", variant: "prod" }, { version: "9.9.9", variant: "production" }),
    ];
    const application_tag = [{ tag_key: "release-policy", value: "ESR" }];
    const answer = JSON.stringify({ d: [{ application_tag, owns__release }] });
    const source = balenaApiSource({ apiUrl: api.url, fetch: async () => new Response(answer) });
    const expected = ["2021.10.2.prod", "2021.10.2.dev", "2022.1.0", "2022.1.1.custom", "6.1.0"];
    expect(await source.versions(slug, {})).toEqual(
      expected.map((version) => ({ version, line: "esr", draft: false })),
    );
  });
});

function byVersion(list: OsVersion[]): OsVersion[] {
  return list.sort((a, b) => (a.version < b.version ? -1 : 1));
}
