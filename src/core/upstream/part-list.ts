/** The list of an image's parts: whether it is valid, which validators identify it, and where each part begins. */

import { isCount, isRecord } from "../checks.ts";
import { sha256HexOfText } from "../digest.ts";
import { isStrongEtag } from "../freshness/judge.ts";
import type { Validators } from "../freshness/validators.ts";
import type { ImagePart, ImageParts } from "../types.ts";

/** More partitions and gaps than any disk has. */
export const maxParts = 4096;
/** The largest image that there may be: far beyond any, and still an exact number. */
const maxImageBytes = 2 ** 50;
/** What a gzip file has around the parts that it is made of: 10 bytes before them; `03 00`, CRC-32 and length behind. */
const gzipFrameBytes = 20;

/** Whether a source's answer is a list of parts, and one that can be. */
export function isImageParts(answer: unknown): answer is ImageParts {
  const parts = isRecord(answer) ? answer["parts"] : undefined;
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > maxParts || !parts.every(isPart))
    return false;
  const names = new Set(parts.map(({ name }) => name));
  return (
    names.size === parts.length &&
    sum(parts, "bytes") <= maxImageBytes &&
    sum(parts, "wireBytes") <= maxImageBytes
  );
}

/** A file name, so that it can't be a path. */
export const isPartName = (name: unknown): name is string =>
  typeof name === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name);

function isPart(value: unknown): value is ImagePart {
  if (!isRecord(value)) return false;
  const { name, url, encoding, wireBytes, bytes, crc32 } = value;
  if (!isPartName(name)) return false;
  if (typeof url !== "string" && !(url instanceof URL)) return false;
  if (!isCount(wireBytes) || wireBytes === 0 || !isCount(bytes) || !isCount(crc32) || crc32 > 0xffffffff)
    return false;
  return encoding === "deflate-raw" || (encoding === "identity" && wireBytes === bytes);
}

/** Bytes of the image, or on the wire. */
export function sum(parts: readonly ImagePart[], what: "bytes" | "wireBytes"): number {
  return parts.reduce((bytes, part) => bytes + part[what], 0);
}

/**
 * What stands for the image: all that the list says of its bytes. `size` is that of the gzip file that the same parts make, so that a
 * copy that came as that file can be compared.
 */
export async function partsValidators(parts: readonly ImagePart[]): Promise<Validators> {
  const said = parts.map(({ name, wireBytes, bytes, crc32 }) => [name, wireBytes, bytes, crc32]);
  const digest = await sha256HexOfText(JSON.stringify(said));
  return {
    etag: `"parts-${digest}"`,
    size: sum(parts, "wireBytes") + gzipFrameBytes,
    fileType: ".gz",
  };
}

/** Whether validators are those of parts. */
export function areOfParts({ etag }: Validators): boolean {
  return isStrongEtag(etag) && /^"parts-[0-9a-f]{64}"$/.test(etag);
}

/** The part that holds a byte of the image, and where that part begins. Past the end: the last part. */
export function partAt(parts: readonly ImagePart[], byte: number): { index: number; start: number } {
  let start = 0;
  for (const [index, { bytes }] of parts.entries()) {
    if (byte < start + bytes || index === parts.length - 1) return { index, start };
    start += bytes;
  }
  return { index: 0, start: 0 };
}

/** Bytes on the wire before a part. */
export function wireBytesBefore(parts: readonly ImagePart[], index: number): number {
  return sum(parts.slice(0, index), "wireBytes");
}
