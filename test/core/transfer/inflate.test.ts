/** Gzip files of one or several members, sound and unsound, in whatever pieces they come, with both kinds of inflater. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { nodeInflate } from "../../../src/adapters/node/inflate.ts";
import { inflateGzip } from "../../../src/core/upstream/inflate.ts";
import { rejection } from "../../support/collect.ts";
import { noise } from "../../support/scripted-upstream.ts";
import { strictInflater } from "../../support/strict-inflater.ts";

const native = () => new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;
const gzip = (bytes: Uint8Array, level = 6) => new Uint8Array(gzipSync(bytes, { level }));
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

async function* inPieces(bytes: Uint8Array, pieceBytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function inflated(file: AsyncIterable<Uint8Array>, inflater = native): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of inflateGzip(file, inflater)) pieces.push(piece.slice());
  return join(...pieces);
}

/** What looks like the start of a member: magic, method, no flags. */
const falseHead = Uint8Array.of(0x1f, 0x8b, 8, 0);
/** Stored, not compressed: what is in the data is then in the file as well. */
const withFalseHeads = gzip(
  join(noise(5000, 2), falseHead, noise(5000, 3), falseHead, falseHead, noise(70_000, 4)),
  0,
);

describe.concurrent.each([
  ["Node's inflater", native],
  ["an inflater that refuses trailing bytes", strictInflater],
  ["nodeInflate", nodeInflate],
])("%s", (_, inflater) => {
  const text = new TextEncoder().encode("balena ".repeat(40_000));
  const parts = [noise(60_000, 5), text, noise(10, 6), noise(40_000, 7)];
  const file = join(...parts.map((part) => gzip(part)));

  test("one member", async () => {
    expect(await inflated(inPieces(gzip(parts[0]!)), inflater)).toEqual(parts[0]);
  });

  test.each([1 << 20, 65_536, 1000, 7])("several members, in pieces of %d bytes", async (pieceBytes) => {
    const small = pieceBytes < 100 ? join(gzip(parts[2]!), gzip(noise(500)), gzip(parts[2]!)) : file;
    const expected = pieceBytes < 100 ? join(parts[2]!, noise(500), parts[2]!) : join(...parts);
    expect(await inflated(inPieces(small, pieceBytes), inflater)).toEqual(expected);
  });

  test("members cut anywhere around their borders", async () => {
    const [one, two] = [gzip(noise(100, 8)), gzip(noise(100, 9))];
    const both = join(one, two);
    async function* cutOnce(cut: number) {
      yield both.subarray(0, cut);
      yield both.subarray(cut);
    }
    const cuts = Array.from({ length: 11 }, (_, index) => one.length - 5 + index);
    const contents = await Promise.all(cuts.map((cut) => inflated(cutOnce(cut), inflater)));
    for (const [index, cut] of cuts.entries())
      expect(contents[index], `cut at ${cut}`).toEqual(join(noise(100, 8), noise(100, 9)));
  });

  test("an empty member, and empty members among others", async () => {
    const empty = gzip(new Uint8Array(0));
    expect(await inflated(inPieces(empty), inflater)).toEqual(new Uint8Array(0));
    expect(
      await inflated(inPieces(join(empty, gzip(text), empty, empty, gzip(parts[2]!))), inflater),
    ).toEqual(join(text, parts[2]!));
  });

  test("false heads inside the data", async () => {
    const content = join(noise(5000, 2), falseHead, noise(5000, 3), falseHead, falseHead, noise(70_000, 4));
    const twice = join(withFalseHeads, withFalseHeads, gzip(text));
    for (const pieceBytes of [1 << 20, 5019]) {
      expect(await inflated(inPieces(twice, pieceBytes), inflater)).toEqual(join(content, content, text));
    }
  });

  test.each([0, 1, 9, 10, 19, 1000, -9, -8, -1])("cut at %d is TRUNCATED_DOWNLOAD", async (at) => {
    const whole = gzip(parts[3]!);
    const failure = await rejection(
      inflated(inPieces(whole.subarray(0, at < 0 ? whole.length + at : at)), inflater),
    );
    expect(failure).toMatchObject({
      code: "TRUNCATED_DOWNLOAD",
      receivedBytes: at < 0 ? whole.length + at : at,
    });
  });

  test.each([5, 12, 2000, -1])("a second member cut at %d is an error", async (at) => {
    const failure = await rejection(
      inflated(inPieces(join(gzip(text), gzip(parts[3]!).subarray(0, at))), inflater),
    );
    expect(failure).toHaveProperty("code", expect.stringMatching(/^(TRUNCATED_DOWNLOAD|UPSTREAM)$/));
  });

  test.each<[string, Uint8Array]>([
    ["no gzip at all", new TextEncoder().encode(`<html>${"not found ".repeat(100)}</html>`)],
    [
      "a wrong checksum",
      join(gzip(parts[3]!).subarray(0, -8), new Uint8Array(4), gzip(parts[3]!).subarray(-4)),
    ],
    ["a wrong length", join(gzip(parts[3]!).subarray(0, -4), new Uint8Array(4))],
    ["a flipped bit", gzip(parts[3]!).map((byte, at) => (at === 500 ? byte ^ 4 : byte))],
  ])("%s is an error that may be retried", async (_name, bytes) => {
    const failure = await rejection(inflated(inPieces(bytes, 256), inflater));
    expect(failure).toHaveProperty("code", expect.stringMatching(/^(TRUNCATED_DOWNLOAD|UPSTREAM)$/));
    if ((failure as { code: string }).code === "UPSTREAM")
      expect(failure).toMatchObject({ unavailable: true });
  });

  test.each([1 << 20, 7])("zeros after the end are padding, in pieces of %d bytes", async (pieceBytes) => {
    for (const count of [1, 9, pieceBytes < 100 ? 300 : 70_000]) {
      const padding = new Uint8Array(count);
      expect(await inflated(inPieces(join(gzip(parts[2]!), padding), pieceBytes), inflater)).toEqual(
        parts[2],
      );
    }
  });

  test("zeros after the end of several members, of an empty one, and of one that ends in zeros", async () => {
    const padding = new Uint8Array(512);
    expect(await inflated(inPieces(join(file, padding)), inflater)).toEqual(join(...parts));
    expect(await inflated(inPieces(join(gzip(new Uint8Array(0)), padding)), inflater)).toHaveLength(0);
    const hollow = new Uint8Array(200_000);
    for (const level of [0, 1, 9])
      expect(await inflated(inPieces(join(gzip(hollow, level), padding), 999), inflater)).toEqual(hollow);
  });

  // The last two bytes of its length are zeros themselves.
  test.each([-2, -4, -9, 1000])("a file cut at %d is not mended by zeros", async (at) => {
    const whole = gzip(parts[3]!);
    const cut = whole.subarray(0, at > 0 ? at : whole.length - 1 + at);
    const failure = await rejection(inflated(inPieces(join(cut, new Uint8Array(600)), 256), inflater));
    expect(failure).toHaveProperty("code", expect.stringMatching(/^(TRUNCATED_DOWNLOAD|UPSTREAM)$/));
  });

  test.each<[string, Uint8Array]>([
    ["junk", new Uint8Array(500).fill(0x2a)],
    ["one byte", Uint8Array.of(7)],
    ["junk after zeros", join(new Uint8Array(300), new Uint8Array(5).fill(0x2a))],
  ])("%s after the end is an error that says so, and is not retried", async (_name, junk) => {
    for (const pieceBytes of [256, 1 << 20]) {
      const failure = await rejection(inflated(inPieces(join(gzip(text), junk), pieceBytes), inflater));
      expect(failure).toMatchObject({
        ...{ code: "UPSTREAM", unavailable: false },
        message: expect.stringContaining("after the end of the gzip file"),
      });
    }
  });

  test("a file that fails to come is the file's own failure", async () => {
    const lost = new Error("connection lost");
    async function* failing() {
      yield file.subarray(0, 1000);
      throw lost;
    }
    expect(await rejection(inflated(failing(), inflater))).toBe(lost);
  });

  test("a consumer that leaves early leaves nothing behind", async () => {
    for await (const piece of inflateGzip(inPieces(file, 1000), inflater)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
  });
});

test("the stand-in for other runtimes does refuse a second member", async () => {
  const twice = join(gzip(noise(10)), gzip(noise(10)));
  const reading = new Response(twice).body?.pipeThrough(
    strictInflater() as unknown as ReadableWritablePair<Uint8Array, Uint8Array<ArrayBuffer>>,
  );
  await expect(new Response(reading ?? null).bytes()).rejects.toThrow("Trailing junk");
});
