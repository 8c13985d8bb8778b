// Cuts an image into DEFLATE parts as balena does, and glues them to a `.gz`. balena's own cutter, `gzip-stream`, is the judge (see the
// tests): it can't be loaded here, since its WebAssembly takes over the process's uncaught exceptions and rejections.
import { Readable } from "node:stream";
import { constants, crc32, createDeflateRaw } from "node:zlib";
import { getPartitions } from "partitioninfo";
import { combineCrc32 } from "./crc32-combine.ts";
import type { Span } from "./disk-layout.ts";
import { bytesFile, joined, type PackedFile, type PackedFiles } from "./packed-files.ts";
import { piecesOf, RawDisk, type RawFile } from "./raw-file.ts";

/** A part as `image.json` lists it. */
export interface PartEntry {
  readonly filename: string;
  /** CRC-32 and length of the raw bytes. */
  readonly crc: number;
  readonly len: number;
  /** Length of the compressed bytes. */
  readonly zLen: number;
  /** `(1)` for the first partition; a gap has none. */
  readonly partitionIndex?: string;
}

/** A part and its compressed bytes. */
export interface Part extends PartEntry {
  readonly file: PackedFile;
}

type Packed = Pick<Part, "crc" | "len" | "zLen" | "file">;

/** One part for each partition and each gap, in the order of the disk; `name` keeps an image's files apart. */
export async function cutIntoParts(raw: RawFile, name: string, files: PackedFiles): Promise<Part[]> {
  const spans = await spansOf(raw);
  return Promise.all(
    spans.map(async ({ index, ...span }, place) => {
      const filename = `part-${place}.deflate`;
      const packed = await packSpan(raw, span, (contents) => files.get(`${name}-${filename}`, contents));
      return { filename, ...packed, ...(index !== undefined && { partitionIndex: `(${index})` }) };
    }),
  );
}

/** The bytes of a partition as a part in memory. */
export function packPart(content: Uint8Array<ArrayBuffer>): Promise<Packed> {
  const raw = { bytes: content.length, read: (start: number, end: number) => content.subarray(start, end) };
  return packSpan(raw, { start: 0, end: raw.bytes }, async (contents) =>
    bytesFile(Buffer.concat(await Readable.from(contents()).toArray())),
  );
}

/** The image's `.gz`: one member, the parts as they are, and 20 bytes around them. */
export function gluedGzip(parts: readonly Part[]): PackedFile {
  const trailer = Buffer.from("03000000000000000000", "hex"); // an empty last block ahead of CRC-32 and length
  trailer.writeUInt32LE(
    parts.reduce((crc, part) => combineCrc32(crc, part.crc, part.len), 0),
    2,
  );
  trailer.writeUInt32LE(parts.reduce((sum, { len }) => sum + len, 0) % 2 ** 32, 6);
  const header = Buffer.from("1f8b08000000000000ff", "hex");
  return joined([bytesFile(header), ...parts.map(({ file }) => file), bytesFile(trailer)]);
}

async function packSpan(
  raw: RawFile,
  { start, end }: Span,
  save: (contents: () => AsyncIterable<Uint8Array>) => Promise<PackedFile>,
): Promise<Packed> {
  let crc = 0;
  const file = await save(() => deflated(piecesOf(raw, start, end), (piece) => (crc = crc32(piece, crc))));
  return { crc, len: end - start, zLen: file.bytes, file };
}

/** Ends with a full flush and no last block, so that another part can follow. */
async function* deflated(
  pieces: Iterable<Uint8Array>,
  see: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(pieces).on("data", see);
  yield* source.pipe(createDeflateRaw({ finishFlush: constants.Z_FULL_FLUSH }));
}

async function spansOf(raw: RawFile): Promise<(Span & { index?: number })[]> {
  const { partitions } = await getPartitions(new RawDisk(raw), { includeExtended: false });
  const spans: (Span & { index?: number })[] = [];
  let at = 0;
  for (const { offset, size, index } of partitions.toSorted((a, b) => a.offset - b.offset)) {
    if (offset > at) spans.push({ start: at, end: offset });
    spans.push({ start: offset, end: offset + size, index });
    at = offset + size;
  }
  return raw.bytes > at ? [...spans, { start: at, end: raw.bytes }] : spans;
}
