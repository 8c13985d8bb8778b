/** A download broke and its rest was asked for: only an answer that is provably that rest is taken; any other costs a fresh start. */
import { describe, expect, test } from "vitest";
import { bytesOf, rejection, sha256 } from "../../support/collect.ts";
import { fileResponse, gzip, noise, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const slug = "intel-nuc";
const content = noise(4 * chunkBytes + 100);
const total = content.length;
const half = 2 * chunkBytes + 50;
const etag = '"a"';

/** The first half, with the headers of the whole, then a lost connection. */
function brokenResponse(headers: Record<string, string> = {}): Response {
  const pieces = [content.slice(0, half)];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece);
      else controller.error(new TypeError("terminated"));
    },
  });
  return new Response(body, { headers: { "content-length": String(total), etag, ...headers } });
}

function partial(start: number, contentRange: string, headers: Record<string, string> = {}): Response {
  const init = { status: 206, headers: { "content-range": contentRange, etag, ...headers } };
  return new Response(content.slice(start), init);
}

/** Gets an image whose first answer breaks, whose second is `second`, and whose others are whole. */
function broken(second: () => Response, first: () => Response = brokenResponse) {
  const upstream = scriptedUpstream({
    respond: ({ count }) =>
      count === 0 ? first() : count === 1 ? second() : fileResponse(content, { etag }),
    request: { gzip: false },
  });
  const { source, fetch, downloads } = upstream;
  return { ...createTestManager({ url: "" }, { source, fetch }), downloads };
}

const rest = () => partial(half, `bytes ${half}-${total - 1}/${total}`);

test("the rest is asked for by range and ETag, and taken", async () => {
  const { manager, events, downloads } = broken(rest);
  const stream = await manager.get(slug);
  expect(sha256(await bytesOf(stream))).toBe(sha256(content));
  expect(await stream.committed()).toMatchObject({ size: total });
  expect(downloads).toHaveLength(2);
  expect(Object.fromEntries(downloads[1]!.headers)).toMatchObject({
    range: `bytes=${half}-`,
    "if-range": etag,
  });
  expect(events.of("resumed")).toMatchObject([{ fromByte: half }]);
});

describe("an answer that is not provably the rest is not taken", () => {
  test.each<[string, () => Response]>([
    ["it starts earlier", () => partial(half - 10, `bytes ${half - 10}-${total - 1}/${total}`)],
    ["it starts later", () => partial(half + 10, `bytes ${half + 10}-${total - 1}/${total}`)],
    ["it starts at the beginning", () => partial(0, `bytes 0-${total - 1}/${total}`)],
    ["it stops before the end", () => partial(half, `bytes ${half}-${total - 2}/${total}`)],
    ["its file has another size", () => partial(half, `bytes ${half}-${total}/${total + 1}`)],
    ["its file has an unknown size", () => partial(half, `bytes ${half}-${total - 1}/*`)],
    ["its range is none", () => partial(half, "the rest")],
    ["its range is missing", () => new Response(content.slice(half), { status: 206, headers: { etag } })],
    ["it has another ETag", () => partial(half, `bytes ${half}-${total - 1}/${total}`, { etag: '"b"' })],
    ["it has a weak ETag", () => partial(half, `bytes ${half}-${total - 1}/${total}`, { etag: 'W/"a"' })],
    ["it is coded", () => partial(half, `bytes ${half}-${total - 1}/${total}`, { "content-encoding": "br" })],
    ["it can't be satisfied", () => new Response(null, { status: 416 })],
    ["it is the whole", () => fileResponse(content, { etag })],
  ])("%s", async (_, second) => {
    const { manager, events } = broken(second);
    const stream = await manager.get(slug);
    expect(sha256(await bytesOf(stream))).toBe(sha256(content));
    expect(await stream.committed()).toMatchObject({ size: total });
    expect(events.of("resumed")).toMatchObject([{ fromByte: 0 }]);
  });

  test.each<[string, Record<string, string>]>([
    ["has a weak ETag", { etag: 'W/"a"' }],
    ["was coded", { "content-encoding": "gzip" }],
  ])("and none is asked for where the file %s", async (_, headers) => {
    const { manager, downloads } = broken(
      () => fileResponse(content, { etag }),
      () => brokenResponse(headers),
    );
    expect(sha256(await bytesOf(await manager.get(slug)))).toBe(sha256(content));
    expect(downloads[1]!.headers.has("range")).toBe(false);
  });
});

describe("a body that is longer than its headers say is UPSTREAM, at once", () => {
  const longer = new Uint8Array(Buffer.concat([content, noise(chunkBytes)]));

  test.each<[string, () => Response, number]>([
    [
      "the rest of a file",
      () =>
        new Response(longer.slice(half), {
          status: 206,
          headers: { etag, "content-range": `bytes ${half}-${total - 1}/${total}` },
        }),
      2,
    ],
    ["a whole file", () => new Response(longer, { headers: { etag, "content-length": String(total) } }), 1],
  ])("%s", async (_, respond, requests) => {
    const { source, fetch, downloads } = scriptedUpstream({
      respond: ({ count }) => (requests === 2 && count === 0 ? brokenResponse() : respond()),
      request: { gzip: false },
    });
    const { manager, events } = createTestManager({ url: "" }, { source, fetch });
    expect(await rejection(manager.get(slug).then(bytesOf))).toMatchObject({
      ...{ code: "UPSTREAM", unavailable: false },
      message: expect.stringContaining("sent more than"),
    });
    expect(downloads).toHaveLength(requests);
    expect(events.types()).not.toContain("committed");
  });

  test("an image without end, if the source says its size", async () => {
    const endless = () => new ReadableStream({ pull: (controller) => controller.enqueue(noise(65_536)) });
    const { source, fetch, downloads } = scriptedUpstream({
      respond: () => new Response(endless()),
      request: { gzip: false, exactBytes: total },
    });
    const { manager } = createTestManager({ url: "" }, { source, fetch });
    expect(await rejection(manager.get(slug).then(bytesOf))).toMatchObject({
      ...{ code: "UPSTREAM", unavailable: false },
    });
    expect(downloads).toHaveLength(1);
  });
});

describe("each way of recovery has an end if the upstream never lets it succeed", () => {
  const breaking = () => brokenResponse();
  test.each<[string, () => Response]>([
    ["every 206 starts elsewhere", () => partial(half + 10, `bytes ${half + 10}-${total - 1}/${total}`)],
    ["every range is 416", () => new Response(null, { status: 416 })],
    ["every range is the whole, which breaks again", breaking],
    ["every rest ends at once", () => partial(total, `bytes ${half}-${total - 1}/${total}`)],
    [
      "every rest is of another file",
      () => partial(half, `bytes ${half}-${total - 1}/${total}`, { etag: '"b"' }),
    ],
  ])("%s", async (_, answer) => {
    const { source, fetch, downloads } = scriptedUpstream({
      respond: ({ headers }) => (headers.has("range") ? answer() : breaking()),
      request: { gzip: false },
    });
    const attempts = 3;
    const { manager } = createTestManager({ url: "" }, { source, fetch, retry: { attempts } });
    const failure = await rejection(manager.get(slug).then(bytesOf));
    expect(failure).toHaveProperty("code", expect.stringMatching(/^(UPSTREAM|TRUNCATED_DOWNLOAD)$/));
    // Each attempt may ask for the rest and then for the whole.
    expect(downloads.length).toBeLessThanOrEqual(2 * attempts + 1);
  });

  test("redirects that lead on and on", async () => {
    const { source, fetch, downloads } = scriptedUpstream({
      respond: ({ count }) => new Response(null, { status: 302, headers: { location: `/hop/${count}` } }),
      request: { gzip: false },
    });
    const { manager } = createTestManager({ url: "" }, { source, fetch });
    expect(await rejection(manager.get(slug, "latest", { fileType: ".img" }))).toMatchObject({
      code: "UPSTREAM",
    });
    expect(downloads).toHaveLength(11);
  });
});

describe("a file without a byte is no image, and asked for again", () => {
  test.each<[string, boolean, () => Response]>([
    ["of no announced length", false, () => new Response(new ReadableStream({ start: (it) => it.close() }))],
    ["of length 0", false, () => fileResponse(new Uint8Array(0))],
    ["a gzip file of nothing", true, () => fileResponse(gzip(new Uint8Array(0)))],
  ])("%s", async (_, isGzip, empty) => {
    const { source, fetch, downloads } = scriptedUpstream({
      respond: ({ count }) => (count < 2 ? empty() : fileResponse(isGzip ? gzip(content) : content)),
      request: { gzip: isGzip },
    });
    const { manager } = createTestManager({ url: "" }, { source, fetch });
    const stream = await manager.get(slug);
    expect(sha256(await bytesOf(stream))).toBe(sha256(content));
    expect(await stream.committed()).toMatchObject({ size: total });
    expect(downloads).toHaveLength(3);
  });

  test("also if there never is another", async () => {
    const { source, fetch } = scriptedUpstream({ respond: () => new Response(""), request: { gzip: false } });
    const { manager, events } = createTestManager({ url: "" }, { source, fetch });
    expect(await rejection(manager.get(slug).then(bytesOf))).toMatchObject({ code: "UPSTREAM" });
    expect(events.types()).not.toContain("unproven");
  });
});

describe("a length that does not fit, on a runtime whose fetch does not tell", () => {
  test.each([total + 1, total * 2])(
    "announced %d bytes: a typed error, nothing committed",
    async (announced) => {
      const { source, fetch } = scriptedUpstream({
        respond: () => new Response(content, { headers: { "content-length": String(announced) } }),
        request: { gzip: false },
      });
      const { manager, events } = createTestManager({ url: "" }, { source, fetch });
      const failure = await rejection(manager.get(slug).then(bytesOf));
      expect(failure).toMatchObject({
        code: "TRUNCATED_DOWNLOAD",
        expectedBytes: announced,
        receivedBytes: total,
        message: expect.stringContaining(`${total} of ${announced} bytes`),
      });
      expect(events.types()).not.toContain("committed");
    },
  );

  test.each(["", "-5", "1e3", "5, 5", "lots"])("announced as %j: no proof", async (announced) => {
    const { source, fetch } = scriptedUpstream({
      respond: () => new Response(content, { headers: { "content-length": announced } }),
      request: { gzip: false },
    });
    const { manager, events } = createTestManager({ url: "" }, { source, fetch });
    const stream = await manager.get(slug);
    expect((await bytesOf(stream)).length).toBe(total);
    expect(await rejection(stream.committed())).toMatchObject({ code: "TRUNCATED_DOWNLOAD" });
    expect(events.types()).toContain("unproven");
  });
});
