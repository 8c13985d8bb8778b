// The plain-fetch source: the source contract against a loopback API, and what is this source's own.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { inspect } from "node:util";
import { createGunzip, gzipSync } from "node:zlib";
import { getSdk } from "balena-sdk";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type OsRelease, osVersions } from "../../src/adapters/balena/os-versions.ts";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
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
    start: async () => steer(await startBalenaApi({ assets: false, imageBytes }), imageBytes),
    source: balenaApiSource,
  });
});

describe("balena API source", () => {
  let api: BalenaApi;
  beforeEach(async () => {
    api = await startBalenaApi({ assets: false, imageBytes });
  });
  afterEach(() => api.close());

  test("is for balenaCloud by default", () => {
    expect(balenaApiSource().id).toBe("https://api.balena-cloud.com");
  });

  test.each([slug, "generic-aarch64-esr", "jetson-preview", "no-release-yet"])(
    "lists the same versions of %s as the SDK, drafts too",
    async (deviceType) => {
      const { os } = getSdk({ apiUrl: api.url, dataDirectory: false }).models;
      const fields = { $select: ["created_at", "is_final"] } as const;
      const listed = await os.getAvailableOsVersions(deviceType, fields, { includeDraft: true });
      const ours = await balenaApiSource({ apiUrl: api.url }).versions(deviceType, { includeDrafts: true });
      expect(byVersion(ours)).toEqual(byVersion(osVersions(listed as unknown as OsRelease[])));
    },
  );

  test("each look-up is one request, and so is a request for an image that has no parts", async () => {
    const source = balenaApiSource({ apiUrl: api.url, token: api.token });
    const image = { deviceType: slug, version: "6.1.0", fileType: ".gz", variant: {} } as const;
    const requestsOf = async (run: () => Promise<unknown>) => {
      api.counters.reset();
      await run();
      return api.counters.requests;
    };
    expect(await requestsOf(() => source.resolveDeviceType("raspberry-pi4", {}))).toBe(1);
    expect(await requestsOf(() => source.versions(slug, {}))).toBe(1);
    expect(await requestsOf(() => source.request(image))).toBe(1);
    expect(await requestsOf(() => source.request({ ...image, isWhole: true }))).toBe(0);
    expect(await requestsOf(async () => source.scope?.({}))).toBe(0);
  });

  test("a token function is asked again for every request", async () => {
    const tokens = [undefined, api.token, undefined];
    const source = balenaApiSource({ apiUrl: api.url, token: async () => tokens.shift() });
    await source.versions(slug, {});
    await source.versions(slug, {});
    expect(await source.scope?.({})).toBeUndefined();
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
      Promise.resolve(source.scope?.({})),
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
    expect(error).toMatchObject({ code: "UPSTREAM", status: 302, unavailable: true });
    expect(requests.map(({ redirect }) => redirect)).toEqual(["manual"]);
    expect(api.counters.requests).toBe(0);
  });

  test.each<[string, () => ReadableStream<Uint8Array>]>([
    ["an answer without end", () => endless(new Uint8Array(1024 * 1024).fill(32))],
    ["a small one that inflates to gigabytes", () => bomb()],
  ])("%s is given up at 64 MiB", async (_, body) => {
    const source = balenaApiSource({ apiUrl: api.url, fetch: async () => new Response(body()) });
    const before = process.memoryUsage().rss;
    const error = await rejection(source.versions(slug, {}));
    expect(error).toMatchObject({ code: "UPSTREAM", unavailable: false });
    expect(error.message).toContain("64 MiB");
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
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
    ["a slug that is a path", '{"d":[{"slug":"../../etc"}]}'],
    ["a slug that is none", '{"d":[{"slug":7}]}'],
  ])("an answer of %s is UPSTREAM, and nothing of it gets out", async (_, text) => {
    const source = balenaApiSource({ apiUrl: api.url, fetch: async () => new Response(text) });
    const attempt = text.includes("slug") ? source.resolveDeviceType(slug, {}) : source.versions(slug, {});
    expect(await rejection(attempt)).toMatchObject({ code: "UPSTREAM", unavailable: true });
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

function endless(piece: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (body) => body.enqueue(piece.slice()) });
}

/** 4 GiB of zeros in 4 MiB of gzip: inflated as fetch would. */
function bomb(): ReadableStream<Uint8Array> {
  const packed = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  const members = new ReadableStream({ pull: (body) => body.enqueue(packed.slice()) });
  return Readable.toWeb(
    Readable.fromWeb(members as never).pipe(createGunzip()),
  ) as ReadableStream<Uint8Array>;
}
