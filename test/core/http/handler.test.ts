// The handler around the image: redirects, who may, how many at once, lists, health, and requests that mean no good.
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageHandler, type ImageHandlerOptions } from "../../../src/core/http/index.ts";
import { type ImageManager, InvalidArgumentError } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { createTestHandler, problemIn, summaryOf } from "./support.ts";

const api = await sharedApi({ imageBytes: 3 * chunkBytes, downloads: "with-validators" });
const path = "/images/intel-nuc/6.4.0%2Brev1";
const fresh = { freshness: { maxAgeMs: 1e9 } };

describe("a range or an alias leads to the exact version:", () => {
  test.each([
    ["/images/intel-nuc/latest", path],
    ["/images/intel-nuc/recommended", path],
    ["/images/intel-nuc/default", path],
    ["/images/intel-nuc/%5E6.0.0", path],
    ["/images/intel-nuc/^6.0.0%20||%20^7.0.0", path],
    ["/images/nuc/6.4.0+rev1", path],
    ["/images/nuc/latest?developmentMode=true&fileType=.gz", `${path}?developmentMode=true&fileType=.gz`],
    ["/images/intel-nuc/6.4.0", path],
    ["/images/intel-nuc/v6.4.0%2Brev1", path],
    ["/images/raspberry-pi4/2021.10.2", "/images/raspberrypi4-64/2021.10.2.prod"],
  ])("%s", async (from, to) => {
    for (const basePath of ["", "/os/v1"]) {
      const { send } = createTestHandler(api, fresh, { basePath });
      for (const method of ["GET", "HEAD"]) {
        const response = await send(basePath + from, { method });
        expect(summaryOf(response, "cache-control")).toEqual({ status: 302, "cache-control": "no-cache" });
        const location = new URL(response.headers.get("location")!, `http://localhost${basePath}${from}`);
        expect(location.pathname + location.search).toBe(basePath + to);
        const followed = await send(location.pathname + location.search, { method: "HEAD" });
        expect(followed.status).toBe(200);
      }
    }
    expect(api.counters.downloads).toBe(0);
  });

  test("also the one that is cached while the upstream is away", async () => {
    const { send, manager } = createTestHandler(api);
    await manager.prefetch("intel-nuc", "6.3.2", { developmentMode: true });
    api.faults.metadata.lose = {};
    const response = await send("/images/nuc/%5E6.0.0?developmentMode=true", {});
    expect(response.status).toBe(502); // the alias was never asked for
    const known = await send("/images/intel-nuc/%5E6.0.0?developmentMode=true");
    expect(summaryOf(known, "location")).toEqual({
      status: 302,
      location: "../intel-nuc/6.3.2?developmentMode=true",
    });
  });
});

describe("authorize", () => {
  const images = ["/images", "/versions/intel-nuc", path, "/images/intel-nuc/latest"];

  test("false is a 401 with a challenge, before anything is asked or read", async () => {
    for (const verdict of [false, undefined, "yes", 1] as boolean[]) {
      const storage = faultyDriver(memoryAdapter());
      const { send, errors } = createTestHandler(api, { storage }, { authorize: () => verdict });
      for (const one of images) {
        const response = await send(one);
        expect(summaryOf(response, "www-authenticate", "cache-control")).toEqual({
          status: 401,
          "www-authenticate": "Bearer",
          "cache-control": "no-store",
        });
      }
      expect(storage.calls).toEqual([]);
      expect(errors).toEqual([]);
      expect((await send("/healthz")).status).toBe(200);
    }
    expect(api.counters.requests).toBe(0);
  });

  test("a Response is the answer", async () => {
    const authorize = async () => Response.redirect("https://login.example.com/", 303);
    const { send } = createTestHandler(api, {}, { authorize });
    for (const one of images) expect((await send(one)).status).toBe(303);
  });

  test("what it throws is a bare 500, and told to the operator", async () => {
    const secret = new InvalidArgumentError("the password of db.internal is hunter2");
    const { send, errors } = createTestHandler(api, {}, { authorize: () => Promise.reject(secret) });
    const response = await send(path);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toMatch(/hunter2|internal\./);
    expect(errors).toMatchObject([{ cause: secret }]);
  });

  test("true lets pass, and all is private then", async () => {
    const seen: string[] = [];
    const authorize = (request: Request) => {
      seen.push(request.headers.get("authorization")!);
      return true;
    };
    const { send } = createTestHandler(api, { maxBytes: undefined, ...fresh }, { authorize });
    for (const one of images) {
      const response = await send(one, { headers: { authorization: "Bearer x" } });
      expect(response.headers.get("cache-control")).toBe("private, no-cache");
      await response.body?.cancel();
    }
    expect(seen).toEqual(images.map(() => "Bearer x"));
  });
});

describe("images of an account", () => {
  test("are private, and those of another one are not listed", async () => {
    const storage = memoryAdapter();
    const anonymous = createTestHandler(api, { storage, ...fresh });
    const account = createTestHandler(api, { storage, token: api.token, ...fresh });
    await account.manager.prefetch("acme-gateway", "6.1.1");
    await anonymous.manager.prefetch("intel-nuc", "6.3.2");
    for (const one of ["/images", "/versions/intel-nuc", path, "/images/intel-nuc/latest"]) {
      const response = await account.send(one, { method: "HEAD" });
      expect(response.headers.get("cache-control")).toBe("private, no-cache");
    }
    const listed = async ({ send }: typeof anonymous) => {
      const response = await send("/images");
      const text = await response.text();
      expect(text).not.toMatch(/scope|source|127\.0\.0\.1/);
      return (JSON.parse(text) as { deviceType: string }[]).map(({ deviceType }) => deviceType);
    };
    expect(await listed(anonymous)).toEqual(["intel-nuc"]);
    expect(await listed(account)).toEqual(["acme-gateway"]);
  });
});

describe("maxTransfers", () => {
  test("beyond it a 503 says when to come again; a body counts until it ends or is left", async () => {
    const { send, manager, errors } = createTestHandler(api, fresh, { maxTransfers: 2 });
    const { etag } = await manager.prefetch("intel-nuc", "6.4.0+rev1");
    const abort = new AbortController();
    const [first, second] = [await send(path), await send(path, { signal: abort.signal })];
    const refused = await send(path);
    expect(summaryOf(refused, "retry-after", "content-type")).toEqual({
      status: 503,
      "retry-after": "5",
      "content-type": "application/problem+json",
    });
    expect(errors).toEqual([]);
    // What needs no transfer is answered nevertheless.
    expect((await send(path, { headers: { "if-none-match": etag } })).status).toBe(304);
    expect((await send(path, { headers: { "if-none-match": '"b"' } })).status).toBe(503);
    expect((await send(path, { method: "HEAD" })).status).toBe(200);
    expect((await send("/images")).status).toBe(200);
    expect((await send("/images/intel-nuc/latest")).status).toBe(302);

    await collect(first.body!);
    const third = await send(path);
    expect(third.status).toBe(200);
    expect((await send(path)).status).toBe(503);
    await third.body!.cancel();
    const fourth = await send(path);
    expect(fourth.status).toBe(200);
    abort.abort();
    await eventually(async () =>
      expect((await send(path, { headers: { range: "bytes=0-0" } })).status).toBe(206),
    );
    await expect(second.text()).rejects.toThrow();
    await fourth.body!.cancel();
  });

  test("an answer without a body, or a failed one, gives its place back", async () => {
    const { send, manager } = createTestHandler(api, fresh, { maxTransfers: 1 });
    const { etag, size } = await manager.prefetch("intel-nuc", "6.4.0+rev1");
    for (let round = 0; round < 3; round++) {
      expect((await send(path, { headers: { "if-none-match": etag } })).status).toBe(304);
      expect((await send(path, { headers: { "if-match": '"b"' } })).status).toBe(412);
      expect((await send(path, { headers: { range: `bytes=${size}-` } })).status).toBe(416);
      expect((await send(path, { signal: AbortSignal.abort() })).status).toBe(499);
      api.faults.refuse = { status: 404 };
      expect((await send(`${path}?developmentMode=true`)).status).toBe(404);
    }
    const response = await send(path);
    expect((await collect(response.body!)).bytes).toBe(size);
  });
});

describe("lists", () => {
  test("/images is what is cached, and what is on its way", async () => {
    const { send, manager } = createTestHandler(api, fresh);
    expect(await (await send("/images")).json()).toEqual([]);
    const info = await manager.prefetch("intel-nuc", "6.3.2", { developmentMode: true });
    await manager.pin("intel-nuc", "6.3.2", { developmentMode: true });
    const response = await send("/images");
    expect(summaryOf(response, "cache-control", "content-type")).toEqual({
      status: 200,
      "cache-control": "no-cache",
      "content-type": "application/json",
    });
    expect(await response.json()).toEqual([
      {
        deviceType: "intel-nuc",
        version: "6.3.2",
        variant: { developmentMode: true },
        mime: "application/octet-stream",
        size: info.size,
        etag: info.etag,
        lastModified: "2026-03-04T05:06:07.000Z",
        createdAt: info.createdAt.toISOString(),
        validatedAt: info.validatedAt.toISOString(),
        lastUsedAt: expect.any(String),
        pinned: true,
        isComplete: true,
      },
    ]);
  });

  test("/versions/:deviceType is what `versions` says", async () => {
    const { send, manager } = createTestHandler(api, fresh);
    const expected = JSON.parse(JSON.stringify(await manager.versions("intel-nuc")));
    for (const one of ["/versions/intel-nuc", "/versions/nuc"])
      expect(await (await send(one)).json()).toEqual(expected);
    expect((await send("/versions/unheard-of")).status).toBe(404);
  });

  test("HEAD has no body", async () => {
    const { send } = createTestHandler(api);
    for (const one of ["/images", "/versions/intel-nuc", "/healthz", "/nothing"]) {
      const [head, get] = [await send(one, { method: "HEAD" }), await send(one)];
      expect(head.body).toBeNull();
      expect([...head.headers]).toEqual([...get.headers]);
      expect(head.headers.get("content-length")).toBe(String((await get.arrayBuffer()).byteLength));
    }
  });
});

test("/healthz is ok until the manager is closed; from then on all is a 503 that blames nobody", async () => {
  const { send, manager } = createTestHandler(api);
  expect(await (await send("/healthz")).json()).toEqual({ status: "ok" });
  await manager.close();
  for (const one of ["/healthz", "/images", "/versions/intel-nuc", path, "/images/intel-nuc/latest"]) {
    const response = await send(one);
    expect(summaryOf(response, "retry-after")).toEqual({ status: 503, "retry-after": "5" });
    expect(await problemIn(response)).toMatchObject({ code: "CLOSED" });
  }
});

describe("hostile requests are answered", () => {
  test.each<[string, RequestInit, number]>([
    [`${path}?wifiKey=hunter2`, {}, 400],
    ["/images/intel-nuc/%zz", {}, 400],
    ["/images/intel-nuc/%00", {}, 400],
    ["/images/..%2F..%2Fetc/passwd", {}, 400],
    [`/images/intel-nuc/${"x".repeat(1e6)}`, {}, 400],
    ["//images", {}, 404],
    ["/images/../..//", {}, 404],
    [path, { method: "POST", body: "x" }, 405],
    [path, { method: "OPTIONS" }, 405],
    [path, { method: "DELETE" }, 405],
    ["/images/unheard-of/latest", {}, 404],
    ["/images/intel-nuc/9.9.9", {}, 404],
    [path, { headers: { range: `bytes=${"9".repeat(1e5)}-` } }, 416],
    [path, { headers: { range: "bytes=0-0,".repeat(1e4) } }, 200],
    [path, { headers: { "if-none-match": '"'.repeat(1e5) } }, 200],
    [path, { headers: { "if-none-match": 'W/"'.repeat(1e5) } }, 200],
    [path, { headers: { "if-match": "é" } }, 412],
    [path, { headers: { "if-modified-since": "Sun, 99 Nov 9999 99:99:99 GMT" } }, 200],
    [path, { headers: { "if-modified-since": "Sun, 07 Nov 9999 09:09:09 GMT" } }, 304],
    [path, { headers: { "if-range": "\u00ff", range: "bytes=0-1" } }, 200],
  ])("%.60s %.60j: %d", async (one, init, status) => {
    const { send, manager, errors } = createTestHandler(api, fresh);
    await manager.prefetch("intel-nuc", "6.4.0+rev1");
    const response = await send(one, init);
    expect(response.status).toBe(status);
    expect(errors).toEqual([]);
    if (status < 400) return void (await response.body?.cancel());
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
    expect(text.length).toBeLessThan(500);
    expect(text).not.toContain("hunter2");
  });

  test("with 405 and what is allowed", async () => {
    const response = await createTestHandler(api).send(path, { method: "PUT", body: "x" });
    expect(response.headers.get("allow")).toBe("GET, HEAD");
  });
});

test("a manager that is not ours is served behind a door, and all of it is private", async () => {
  const { manager } = createTestManager(api, fresh);
  const other = Object.fromEntries(Object.entries(manager)) as unknown as ImageManager; // no symbols
  const handler = createImageHandler(other, { authorize: () => true });
  const send = (one: string) => handler(new Request(`http://localhost${one}`));
  expect(summaryOf(await send("/images/intel-nuc/latest"), "location", "cache-control")).toEqual({
    status: 302,
    location: "../intel-nuc/6.4.0%2Brev1",
    "cache-control": "private, no-cache",
  });
  const response = await send("/images/nuc/6.4.0%2Brev1"); // it can't say what an alias stands for
  expect(summaryOf(response, "cache-control")).toEqual({ status: 200, "cache-control": "private, no-cache" });
  expect((await collect(response.body!)).bytes).toBe(3 * chunkBytes);
  expect(await (await send("/images")).json()).toHaveLength(1);
  expect((await send("/healthz")).status).toBe(200);
});

describe("at construction", () => {
  const bounded = () => createTestManager(api, { maxBytes: 1e9 }).manager;
  const unbounded = () => createTestManager(api).manager;
  const handwritten = () => ({ get: async () => {} }) as unknown as ImageManager;
  const authorize = () => true;

  test.each<[string, () => ImageManager, ImageHandlerOptions | undefined, RegExp]>([
    ["an open door to a store without end", unbounded, undefined, /maxBytes.*authorize/],
    ["a manager that can't say its maxBytes", handwritten, {}, /maxBytes.*authorize/],
    ["no manager", () => undefined as never, { authorize }, /image manager/],
    ["no options", bounded, null as never, /options/],
    ["a base path without a slash", bounded, { basePath: "os" }, /basePath/],
    ["a base path that a URL can't have", bounded, { basePath: "/a/../b" }, /basePath/],
    ["a base path that is a host", bounded, { basePath: "//os" }, /basePath/],
    ["a base path with a query", bounded, { basePath: "/os?a" }, /basePath/],
    ["no transfers", bounded, { maxTransfers: 0 }, /maxTransfers/],
    ["half a transfer", bounded, { maxTransfers: 0.5 }, /maxTransfers/],
    ["an authorize that is none", bounded, { authorize: true as never }, /authorize/],
    ["an onError that is none", bounded, { onError: {} as never }, /onError/],
    ["a waitUntil that is none", bounded, { waitUntil: 1 as never }, /waitUntil/],
  ])("%s is INVALID_ARGUMENT", (_, manager, options, message) => {
    const make = () => createImageHandler(manager(), options);
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(message);
  });

  test.each<[string, () => ImageManager, ImageHandlerOptions | undefined]>([
    ["a bounded store for all", bounded, undefined],
    ["a wrapper around a bounded manager", () => ({ ...bounded() }), undefined],
    ["an endless store behind a door", unbounded, { authorize }],
    ["any manager behind a door", handwritten, { authorize }],
    ["a base path that ends with a slash", bounded, { basePath: "/os/" }],
    ["the root as base path", bounded, { basePath: "/" }],
  ])("%s is fine", async (_, manager, options) => {
    const handler = createImageHandler(manager(), options);
    const base = options?.basePath === "/os/" ? "/os" : "";
    expect((await handler(new Request(`http://localhost${base}/healthz`))).status).toBe(200);
  });
});
