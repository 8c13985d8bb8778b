// Images that a request's body, or its maker's rights, lay something over: never kept by a cache, and right in ranges.
import { describe, expect, onTestFinished, test } from "vitest";
import { createImageHandler, type ImageHandlerOptions } from "../../../src/core/http/index.ts";
import { EditError, type ImageEdit, InvalidArgumentError } from "../../../src/core/index.ts";
import { bytesOf } from "../../support/collect.ts";
import { scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { edited, imageOf, upstreamOf, writing } from "../edits/support.ts";
import { bodyFields, createTestHandler, problemIn, summaryOf } from "./support.ts";

const content = imageOf(6, chunkBytes);
const path = `/images/${slug}/${scriptedVersion.version}`;
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;
const fields = ["cache-control", ...bodyFields];

/** Lays a body's `text` over byte 100. */
const byBody: NonNullable<ImageHandlerOptions["edit"]> = async (request) => {
  if (request.method !== "POST") return undefined;
  const { text } = (await request.json()) as { text: string };
  return writing(text, 100);
};

async function made(options: ImageHandlerOptions = {}, isCached = true) {
  const upstream = upstreamOf(content);
  const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
  const editKey = "a key for the tests' ETags";
  const handler = createTestHandler(
    upstream as never,
    { ...upstream, freshness, editKey },
    { edit: byBody, ...options },
  );
  if (isCached) await handler.manager.prefetch(slug, scriptedVersion.version);
  onTestFinished(() => handler.manager.close());
  const post = (body: BodyInit, init: RequestInit = {}) =>
    handler.send(path, { method: "POST", body, ...init });
  return { ...handler, upstream, post };
}

const json = (text: string) => JSON.stringify({ text });

describe("a POST", () => {
  test.each([true, false])(
    "is answered with the edited image, which nobody may keep; cached: %s",
    async (isCached) => {
      const { post, upstream, send } = await made({}, isCached);
      const response = await post(json("mine"));
      expect(summaryOf(response, ...fields)).toEqual({
        status: 200,
        "accept-ranges": "none",
        "cache-control": "no-store",
        "content-length": String(content.length),
      });
      expect(isSame(await bytesOf(response.body!), await edited(content, writing("mine", 100)))).toBe(true);
      expect(isSame(await bytesOf((await send(path)).body!), content)).toBe(true);
      expect(upstream.downloads).toHaveLength(1);
    },
  );

  test("knows no ranges and no conditions", async () => {
    const { post, manager } = await made();
    const { etag } = (await manager.inspect(slug, scriptedVersion.version))!;
    const headers = {
      range: "bytes=0-9",
      "if-none-match": `${etag}, *`,
      "if-modified-since": new Date().toUTCString(),
    };
    const response = await post(json("mine"), { headers });
    expect(response.status).toBe(200);
    expect(isSame(await bytesOf(response.body!), await edited(content, writing("mine", 100)))).toBe(true);
  });

  test("of a range of versions is answered at once, for a redirect would lose the body", async () => {
    const { send } = await made();
    const response = await send(`/images/${slug}/latest`, { method: "POST", body: json("mine") });
    expect(summaryOf(response, "content-disposition")).toEqual({
      status: 200,
      "content-disposition": `attachment; filename="${slug}-${scriptedVersion.version}.img"`,
    });
    await response.body!.cancel();
  });

  test("that nothing is laid over for is the plain image, and nobody may keep that either", async () => {
    const { post } = await made({ edit: () => undefined });
    const response = await post("");
    expect(summaryOf(response, ...fields)).toMatchObject({
      "cache-control": "no-store",
      "accept-ranges": "none",
    });
    expect(isSame(await bytesOf(response.body!), content)).toBe(true);
  });

  test("is refused without the option, and elsewhere", async () => {
    const { send } = await made();
    const without = await made({ edit: undefined });
    const asked = [
      without.send(path, { method: "POST", body: "{}" }),
      send(path, { method: "PUT", body: "{}" }),
    ];
    const elsewhere = ["/images", "/versions/x", "/healthz"].map((one) =>
      send(one, { method: "POST", body: "{}" }),
    );
    const [first, second, ...others] = await Promise.all([...asked, ...elsewhere]);
    expect(summaryOf(first!, "allow")).toEqual({ status: 405, allow: "GET, HEAD" });
    expect(summaryOf(second!, "allow")).toEqual({ status: 405, allow: "GET, HEAD, POST" });
    for (const one of others) expect(summaryOf(one!, "allow")).toEqual({ status: 405, allow: "GET, HEAD" });
  });

  test("has a body of at most maxBodyBytes, whether or not it says its length", async () => {
    const { post } = await made({ maxBodyBytes: 20 });
    let isLeft = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(8)),
      cancel: () => {
        isLeft = true;
      },
    });
    const sized = await post(json("a text that is too long"));
    const unsized = await post(endless, { duplex: "half" } as RequestInit);
    const lying = await post(json("short"), { headers: { "content-length": "1000" } });
    for (const response of [sized, unsized, lying]) {
      expect(response.status).toBe(413);
      expect(await problemIn(response)).toMatchObject({ title: "Content Too Large", status: 413 });
    }
    expect(isLeft).toBe(true);
    const exact = await post(json("123456789"));
    expect(exact.status).toBe(200);
    await exact.body!.cancel();
  });

  test("counts towards maxTransfers", async () => {
    const { post } = await made({ maxTransfers: 1 });
    const first = await post(json("mine"));
    expect((await post(json("mine"))).status).toBe(503);
    await first.body!.cancel();
    const third = await post(json("mine"));
    expect(third.status).toBe(200);
    await third.body!.cancel();
  });
});

describe("authorize", () => {
  test("sees the body, which edit then reads as well", async () => {
    const bodies: string[] = [];
    const { post } = await made({
      authorize: async (request) => {
        bodies.push(`${request.method} ${await request.text()}`);
        return bodies.length === 1;
      },
    });
    const response = await post(json("mine"));
    expect(isSame(await bytesOf(response.body!), await edited(content, writing("mine", 100)))).toBe(true);
    expect((await post(json("other"))).status).toBe(401);
    expect(bodies).toEqual([`POST ${json("mine")}`, `POST ${json("other")}`]);
  });

  test("comes before edit", async () => {
    let isAsked = false;
    const { post } = await made({
      authorize: () => false,
      edit: () => {
        isAsked = true;
        return undefined;
      },
    });
    expect((await post("{}")).status).toBe(401);
    expect(isAsked).toBe(false);
  });
});

describe("edit", () => {
  test.each<[string, NonNullable<ImageHandlerOptions["edit"]>, number, object]>([
    ["finds that the body is no JSON", byBody, 400, {}],
    [
      "finds that a file can't be written",
      () => {
        throw new InvalidArgumentError("pl4nted");
      },
      400,
      { code: "INVALID_ARGUMENT" },
    ],
    [
      "finds no room",
      () => async () => {
        throw new EditError("full", "pl4nted");
      },
      422,
      { code: "EDIT", reason: "full" },
    ],
    [
      "lays something outside",
      () => writing("pl4nted", content.length),
      422,
      { code: "EDIT", reason: "outside-image" },
    ],
    [
      "fails",
      () => {
        throw new TypeError("pl4nted");
      },
      500,
      {},
    ],
    [
      "fails later",
      () => () => Promise.reject(new TypeError("pl4nted")),
      500,
      { code: "EDIT", reason: "failed" },
    ],
    ["answers with anything", () => "pl4nted" as unknown as ImageEdit, 500, {}],
  ])("that %s is a problem that says no more", async (_, edit, status, members) => {
    const { post, errors } = await made({ edit, maxTransfers: 1 });
    const response = await post("no JSON");
    expect(response.status).toBe(status);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ status, ...members });
    expect(text).not.toContain("pl4nted");
    expect(errors).toHaveLength(status >= 500 ? 1 : 0);
    expect((await post("no JSON")).status).toBe(status); // nothing counts as under way any more
  });

  test("may answer itself", async () => {
    const { post } = await made({
      edit: () => new Response("no such device", { status: 404 }),
      maxTransfers: 1,
    });
    for (let round = 0; round < 2; round++) {
      const response = await post("{}");
      expect([response.status, await response.text()]).toEqual([404, "no such device"]);
    }
  });

  test.each([{ edit: {} }, { maxBodyBytes: 0 }, { maxBodyBytes: 1.5 }, { maxBodyBytes: 65 * 1024 * 1024 }])(
    "and its limit are checked: %j",
    (options) => {
      const { manager } = createTestManager({ url: "" }, { ...upstreamOf(content), maxBytes: 1e9 });
      expect(() => createImageHandler(manager, options as ImageHandlerOptions)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    },
  );
});

describe("a GET that is edited", () => {
  const edit = writing("by its token", 100, 3 * chunkBytes + 5);
  const byToken: NonNullable<ImageHandlerOptions["edit"]> = (request) =>
    request.headers.has("authorization") ? edit : undefined;
  const headers = { authorization: "Bearer x" };

  test("has an ETag of its own, no date, and is kept by nobody", async () => {
    const { send, manager } = await made({ edit: byToken });
    const { etag } = (await manager.inspect(slug, scriptedVersion.version))!;
    const response = await send(path, { headers });
    expect(summaryOf(response, ...fields)).toEqual({
      status: 200,
      etag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
      "accept-ranges": "bytes",
      "cache-control": "no-store",
      "content-length": String(content.length),
    });
    expect(response.headers.get("etag")).not.toBe(etag);
    expect(isSame(await bytesOf(response.body!), await edited(content, edit))).toBe(true);
    const again = await send(path, {
      headers: { ...headers, "if-none-match": response.headers.get("etag")! },
    });
    expect(summaryOf(again, "cache-control")).toEqual({ status: 304, "cache-control": "no-store" });
    const plain = await send(path, { headers: { "if-none-match": response.headers.get("etag")! } });
    expect(plain.status).toBe(200);
    await plain.body!.cancel();
  });

  test.each([true, false])("is served in ranges; cached: %s", async (isCached) => {
    const { send } = await made({ edit: byToken }, isCached);
    const expected = await edited(content, edit);
    for (const [range, start, end] of [
      ["bytes=90-120", 90, 121],
      ["bytes=-5", content.length - 5, content.length],
      [`bytes=${3 * chunkBytes}-`, 3 * chunkBytes, content.length],
    ] as const) {
      const response = await send(path, { headers: { ...headers, range } });
      expect(summaryOf(response, "content-range", "cache-control")).toEqual({
        status: 206,
        "content-range": `bytes ${start}-${end - 1}/${content.length}`,
        "cache-control": "no-store",
      });
      expect(isSame(await bytesOf(response.body!), expected.slice(start, end)), range).toBe(true);
    }
  });

  test("has a HEAD that says neither ETag nor date of the plain image", async () => {
    const { send } = await made({ edit: byToken });
    const response = await send(path, { method: "HEAD", headers });
    expect(summaryOf(response, ...fields)).toEqual({
      status: 200,
      "accept-ranges": "bytes",
      "cache-control": "no-store",
      "content-length": String(content.length),
    });
    expect((await send(path, { method: "HEAD" })).headers.get("etag")).toMatch(/^"/);
    expect((await send(`${path}/bmap`, { headers })).status).toBe(404);
    expect((await send(`${path}/bmap`)).status).toBe(200);
  });
});

describe("an image that follows from a plainer one", () => {
  const upstream = upstreamOf(content);
  const source = {
    ...upstream.source,
    derive: async () => ({ variant: {}, edit: writing("development", 100) }),
  };
  const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };

  test("is private, with an ETag of its own; its HEAD says that of no other", async () => {
    const { send, manager } = createTestHandler(upstream as never, { ...upstream, source, freshness });
    onTestFinished(() => manager.close());
    await manager.prefetch(slug, scriptedVersion.version);
    const response = await send(`${path}?developmentMode=true`);
    expect(summaryOf(response, ...fields)).toMatchObject({
      status: 200,
      etag: expect.stringMatching(/^"/),
      "accept-ranges": "bytes",
      "cache-control": "private, no-cache",
    });
    expect(isSame(await bytesOf(response.body!), await edited(content, writing("development", 100)))).toBe(
      true,
    );
    const head = await send(`${path}?developmentMode=true`, { method: "HEAD" });
    expect(summaryOf(head, ...fields)).toEqual({
      status: 200,
      "accept-ranges": "bytes",
      "cache-control": "private, no-cache",
      "content-length": String(content.length),
    });
    for (const companion of ["sha256", "bmap"])
      expect((await send(`${path}/${companion}?developmentMode=true`)).status, companion).toBe(404);
    expect((await send(`${path}/bmap`)).status).toBe(200);
    const range = await send(`${path}?developmentMode=true`, { headers: { range: "bytes=98-104" } });
    expect(range.status).toBe(206);
    expect(new TextDecoder().decode((await bytesOf(range.body!)).slice(2))).toBe("devel");
  });

  test("that is new each time is a 200 without ETag, ranges and caches", async () => {
    const eachTime = { ...source, derive: async () => ({ ...(await source.derive()), isNewEachTime: true }) };
    const { send, manager } = createTestHandler(upstream as never, {
      ...upstream,
      source: eachTime,
      freshness,
    });
    onTestFinished(() => manager.close());
    await manager.prefetch(slug, scriptedVersion.version);
    const response = await send(`${path}?developmentMode=true`, { headers: { range: "bytes=0-9" } });
    expect(summaryOf(response, ...fields)).toEqual({
      status: 200,
      "accept-ranges": "none",
      "cache-control": "no-store",
      "content-length": String(content.length),
    });
    await response.body!.cancel();
  });
});
