// The checksum is zlib's, in one piece and in several.
import { crc32 as zlibCrc32 } from "node:zlib";
import { expect, test } from "vitest";
import { crc32 } from "../../../src/core/crc32.ts";

const bytes = Uint8Array.from({ length: 10_007 }, (_, index) => (index * 7919) >>> 5);

test.each([0, 1, 3, 4, 5, 1024, 10_007])("of %i bytes", (length) => {
  expect(crc32(bytes.subarray(0, length))).toBe(zlibCrc32(bytes.subarray(0, length)));
});

test("goes on from a checksum", () => {
  expect(crc32(bytes.subarray(1000), crc32(bytes.subarray(0, 1000)))).toBe(zlibCrc32(bytes));
});
