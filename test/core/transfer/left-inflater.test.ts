// A reader that leaves while a member of a gzip file is being looked at for its end must leave nothing running.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test, vi } from "vitest";
import { inflateGzip } from "../../../src/core/transfer/inflate.ts";

afterEach(() => vi.restoreAllMocks());

const memberBytes = 1024 * 1024;
const file = Buffer.concat([1, 2].map(() => gzipSync(randomBytes(memberBytes))));

async function* pieces() {
  for (let at = 0; at < file.length; at += 65_536) yield new Uint8Array(file.subarray(at, at + 65_536));
}

const inflater = () => new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;

/** Reads to just before the end of the first member, lets the look for its end begin, and leaves. */
async function leave(bytesBeforeEnd: number): Promise<void> {
  let bytes = 0;
  for await (const piece of inflateGzip(pieces(), inflater)) {
    bytes += piece.length;
    if (bytes < memberBytes - bytesBeforeEnd) continue;
    await sleep(50);
    return;
  }
}

test("no timer goes on after the reader has left, wherever that was", async () => {
  await Promise.all(Array.from({ length: 16 }, (_, index) => leave(index * 4096)));
  await sleep(400);
  const timers = vi.spyOn(globalThis, "setTimeout");
  await sleep(100);
  expect(timers.mock.calls.filter(([, delayMs]) => delayMs === 10)).toEqual([]);
});
