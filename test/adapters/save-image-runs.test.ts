// Which bytes of a piece are written: a table, and random pieces against a plain definition.
import { expect, test } from "vitest";
import { dataRuns } from "../../src/adapters/node/save/data-runs.ts";

const KiB = 1024;

/** A piece of so many KiB with bytes set at these places. */
function piece(sizeKiB: number, ...places: number[]): Uint8Array {
  // Not at the beginning of its buffer, as a stream's pieces need not be.
  const bytes = new Uint8Array(sizeKiB * KiB + 3).subarray(3);
  for (const place of places) bytes[place] = 1;
  return bytes;
}

test.each<[string, Uint8Array, [number, number][]]>([
  ["nothing", piece(0), []],
  ["zeros", piece(300), []],
  ["one byte first", piece(300, 0), [[0, 4]]],
  ["one byte last", piece(300, 300 * KiB - 1), [[296, 300]]],
  ["the last byte of a short block", piece(6, 6 * KiB - 1), [[4, 6]]],
  ["two blocks in a row", piece(300, 4095, 4096), [[0, 8]]],
  ["a gap of 60 KiB", piece(300, 0, 64 * KiB), [[0, 68]]],
  [
    "a gap of 64 KiB",
    piece(300, 0, 68 * KiB),
    [
      [0, 4],
      [68, 72],
    ],
  ],
])("%s", (_, bytes, runs) => {
  expect(dataRuns(bytes).map(({ start, end }) => [start / KiB, end / KiB])).toEqual(runs);
});

test("runs cover every byte that is not zero, and gaps between them are long", () => {
  for (let round = 0; round < 200; round++) {
    const places = Array.from({ length: 8 }, () => Math.floor(Math.random() * 1000 * KiB));
    const bytes = piece(1000, ...places);
    const runs = dataRuns(bytes);
    for (const place of places) {
      expect(runs.some(({ start, end }) => start <= place && place < end)).toBe(true);
    }
    runs.slice(1).forEach(({ start }, index) => {
      expect(start - runs[index]!.end).toBeGreaterThanOrEqual(64 * KiB);
    });
  }
});
