/** What the file that is wanted is made of: the parts of a raw image, or those of the `.gz` that they make. */
import { combineCrc32, crc32 } from "../crc32.ts";
import { UpstreamError } from "../errors.ts";
import type { ImagePart, ResolvedImage } from "../types.ts";
import { sum } from "./part-list.ts";
import { PartsUnavailableError } from "./parts-unavailable.ts";

/** A part of that file. `bytes` and `crc32` are those of the file. */
export interface FilePart extends ImagePart {
  /** Delivered as it is sent. This is what it inflates to, by which it is proven; then its own `crc32` means nothing. */
  readonly packed?: Pick<ImagePart, "bytes" | "crc32"> | undefined;
  /** The bytes themselves: nobody is asked for them. */
  readonly literal?: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * The parts of the file that a variant means.
 *
 * @throws {PartsUnavailableError} if the file can't be made of these parts, but may come whole.
 * @throws {UpstreamError} `UPSTREAM` for a file that no parts make: the source should have named the file itself.
 */
export function filePartsOf(
  { variant: { fileType } }: Pick<ResolvedImage, "variant">,
  parts: readonly ImagePart[],
): readonly FilePart[] {
  if (fileType === undefined) return parts;
  if (fileType === ".gz") return gzipParts(parts);
  const message = `The source has answered with parts, but they do not make the ${fileType} file that was asked for`;
  throw new UpstreamError(message, { unavailable: false });
}

/**
 * One gzip member (RFC 1952), as balena's image maker makes it: the parts as they are between its header and an empty final block, the
 * CRC-32 and the length of all that they inflate to.
 */
function gzipParts(parts: readonly ImagePart[]): readonly FilePart[] {
  if (!parts.every(({ encoding }) => encoding === "deflate-raw"))
    throw new PartsUnavailableError("A .gz file can't be made of parts that are not deflated");
  const head = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
  const tail = new DataView(new ArrayBuffer(10));
  tail.setUint16(0, 0x0300);
  tail.setUint32(
    2,
    parts.reduce((checksum, part) => combineCrc32(checksum, part.crc32, part.bytes), 0),
    true,
  );
  tail.setUint32(6, sum(parts, "bytes") % 2 ** 32, true);
  return [
    literal("gzip-head", head),
    ...parts.map(packed),
    literal("gzip-tail", new Uint8Array(tail.buffer)),
  ];
}

function literal(name: string, bytes: Uint8Array<ArrayBuffer>): FilePart {
  const sizes = { wireBytes: bytes.length, bytes: bytes.length, crc32: crc32(bytes) };
  return { name, url: "", encoding: "identity", ...sizes, literal: bytes };
}

function packed({ name, url, headers, wireBytes, bytes, crc32 }: ImagePart): FilePart {
  return {
    name,
    url,
    headers,
    encoding: "identity",
    wireBytes,
    bytes: wireBytes,
    crc32: 0,
    packed: { bytes, crc32 },
  };
}
