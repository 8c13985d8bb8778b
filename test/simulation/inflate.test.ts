/** The simulation's inflater takes and refuses what the platform's does. */
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { inflateAtOnce } from "./inflate.ts";

const bytes = Uint8Array.from({ length: 3_000 }, (_, index) => (index * index) % 251);
const packed = new Uint8Array(gzipSync(bytes));
const changedAt = (at: number) => packed.map((byte, index) => (index === at ? byte ^ 1 : byte));
const joined = (...all: Uint8Array[]) => new Uint8Array(Buffer.concat(all));

async function inflated(stream: TransformStream<Uint8Array, Uint8Array>, file: Uint8Array, step: number) {
  const writer = stream.writable.getWriter();
  const feed = async () => {
    for (let at = 0; at < file.length; at += step) await writer.write(file.slice(at, at + step));
    await writer.close();
  };
  feed().catch(() => undefined);
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of stream.readable) pieces.push(piece);
    return Buffer.concat(pieces).toString("hex");
  } catch {
    return "refused";
  }
}

test.each([
  ["a member", packed, true],
  ["a member that ends in its data", packed.subarray(0, 100), false],
  ["a member that ends in its trailer", packed.subarray(0, -3), false],
  ["another checksum", changedAt(packed.length - 6), false],
  ["another length", changedAt(packed.length - 2), false],
  ["a damaged head", changedAt(0), false],
  ["two members", joined(packed, packed), false],
  ["other bytes after a member", joined(packed, Uint8Array.of(1, 2, 3)), false],
])("%s", async (_what, file, isTaken) => {
  const wanted = isTaken ? Buffer.from(bytes).toString("hex") : "refused";
  const platform = new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>;
  expect(await inflated(platform, file, 64)).toBe(wanted);
  for (const step of [1, 64, 4_000]) expect(await inflated(inflateAtOnce(), file, step)).toBe(wanted);
});
