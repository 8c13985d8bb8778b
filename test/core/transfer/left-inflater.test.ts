// A reader that leaves while a member of a gzip file is being looked at for its end must leave nothing running.
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { constants, crc32, deflateRawSync, gzipSync } from "node:zlib";
import { afterEach, expect, test, vi } from "vitest";
import { inflateGzip } from "../../../src/core/upstream/inflate.ts";
import { inflatePart } from "../../../src/core/upstream/inflate-part.ts";

afterEach(() => void vi.useRealTimers());

const memberBytes = 1024 * 1024;
const file = Buffer.concat([1, 2].map(() => gzipSync(randomBytes(memberBytes))));

async function* pieces() {
  for (let at = 0; at < file.length; at += 65_536) yield new Uint8Array(file.subarray(at, at + 65_536));
}

const inflater = () => new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;

/** Reads to just before the end of the first member, where the look for its end begins, and leaves. */
async function leave(bytesBeforeEnd: number): Promise<void> {
  let bytes = 0;
  for await (const piece of inflateGzip(pieces(), inflater)) {
    bytes += piece.length;
    if (bytes >= memberBytes - bytesBeforeEnd) return;
  }
}

test("no timer goes on after the reader has left, wherever that was", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await Promise.all(Array.from({ length: 16 }, (_, index) => leave(index * 4096)));
  for await (const _ of inflateGzip(pieces(), inflater)); // what was under way has come to rest before the end of this
  await vi.advanceTimersByTimeAsync(1_000); // a look that went on would set its timer each time again
  expect(vi.getTimerCount()).toBe(0);
});

/** What would have ended the process while something was done, and for a moment after it. */
async function fatalErrorsDuring(work: () => Promise<unknown>): Promise<unknown[]> {
  const errors: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", (error) => errors.push(error));
  await work();
  for await (const _ of inflateGzip(pieces(), inflater)); // what comes late comes before the end of this
  process.removeAllListeners("uncaughtException");
  for (const listener of listeners) process.on("uncaughtException", listener);
  return errors;
}

/** Everything at once, so that an inflater has more to give whenever it is left. */
async function* inOnePiece(bytes: Uint8Array) {
  yield bytes;
}

const contentBytes = 600_000;
const content = randomBytes(contentBytes);

/** Takes so many pieces, slowly, so that more are waiting each time; and leaves. */
async function takeSome(pieces: AsyncIterable<Uint8Array>, wanted: number): Promise<void> {
  let taken = 0;
  for await (const _ of pieces) {
    taken += 1;
    if (taken === wanted) return;
    await pause(3); // a slow reader: to one without pauses nothing happens
  }
}

// Node 22 and 24 die where the readable side of a DecompressionStream is cancelled right after a read.
test("a reader that leaves does not end the process", async () => {
  const packed = new Uint8Array(gzipSync(content, { level: 1 }));
  const wire = new Uint8Array(deflateRawSync(content, { level: 1, finishFlush: constants.Z_SYNC_FLUSH }));
  const part = {
    name: "part",
    url: "",
    encoding: "deflate-raw",
    wireBytes: wire.length,
    bytes: contentBytes,
  } as const;
  const proof = { ...part, crc32: crc32(content) };
  const errors = await fatalErrorsDuring(async () => {
    for (let wanted = 1; wanted <= 8; wanted++) {
      await takeSome(inflateGzip(inOnePiece(packed), inflater), wanted);
      await takeSome(inflatePart(proof, inOnePiece(wire), inflater), wanted);
    }
  });
  expect(errors).toEqual([]);
});
