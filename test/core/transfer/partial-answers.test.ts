/** A download broke and its rest was asked for: only an answer that is provably that rest is taken; any other costs a fresh start. */
import { describe, expect, test } from "vitest";
import { bytesOf, rejection, sha256 } from "../../support/collect.ts";
import { fileResponse, noise, scriptedUpstream } from "../../support/scripted-upstream.ts";
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
    ["was coded", { "content-encoding": "br" }],
  ])("and none is asked for where the file %s", async (_, headers) => {
    const { manager, downloads } = broken(
      () => fileResponse(content, { etag }),
      () => brokenResponse(headers),
    );
    expect(sha256(await bytesOf(await manager.get(slug)))).toBe(sha256(content));
    expect(downloads[1]!.headers.has("range")).toBe(false);
  });
});

describe("a length that does not fit, on a runtime whose fetch does not tell", () => {
  test.each([total + 1, total * 2, total - 1])(
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
    expect(await stream.committed()).toBeUndefined();
    expect(events.types()).toContain("unproven");
  });
});
