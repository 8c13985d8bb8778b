/**
 * An image as a gzip file of one member, put together from its chunks as they lie in the store. Its length, its ETag and the place of
 * each chunk are known from the manifest, so no byte of the image is read for a HEAD, and a range reads the chunks that it lies in.
 */
import { combineCrc32, crc32 } from "../../crc32.ts";
import { sha256HexOfText } from "../../digest.ts";
import type { StoredImage } from "../../manager-internals.ts";
import type { Span } from "../../span.ts";
import { head, type Lie, segmentBytes, segmentOf, tailBytes, tailOf } from "./segments.ts";

/** Such a file. */
export interface GzFile {
  readonly size: number;
  /** Strong: it is made of all that the bytes depend on. */
  readonly etag: string;
  /** The bytes of a span. Each piece is the reader's. Rejects if a chunk lies otherwise by now, before a byte of it. */
  read(span: Span): AsyncGenerator<Uint8Array<ArrayBuffer>>;
}

/** `undefined` if a chunk lies in such a way that it would have to be packed again. */
export async function gzFileOf(image: StoredImage): Promise<GzFile | undefined> {
  const segments = segmentsOf(image);
  if (!segments) return undefined;
  const starts = startsOf(segments);
  const size = starts.at(-1)! + tailBytes;
  return {
    size,
    etag: `"${await sha256HexOfText(descriptionOf(image, segments))}"`,
    read: (span) => read(image, segments, starts, span),
  };
}

interface Segment {
  readonly lie: Lie;
  /** Bytes of the chunk. */
  readonly length: number;
  /** Bytes in the file. */
  readonly bytes: number;
  readonly crc32: number;
  /** What its bytes are named by. */
  readonly name: string;
}

function segmentsOf({ size, chunkBytes, chunks, stored }: StoredImage): Segment[] | undefined {
  const segments: Segment[] = [];
  for (const [index, digest] of chunks.entries()) {
    const length = Math.min(chunkBytes, size - index * chunkBytes);
    const known = digest === null ? { bytes: 0, crc32: checksumOfZeros(length) } : stored?.[index];
    if (known?.crc32 === undefined) return undefined;
    const lie = digest === null ? "hole" : known.sha256 === undefined ? "as it is" : "member";
    const bytes = segmentBytes(lie, length, known.bytes);
    segments.push({ lie, length, bytes, crc32: known.crc32, name: `${lie} ${known.sha256 ?? digest}` });
  }
  return segments;
}

const checksumsOfZeros = new Map<number, number>();

function checksumOfZeros(length: number): number {
  const known = checksumsOfZeros.get(length) ?? crc32(new Uint8Array(length));
  if (checksumsOfZeros.size < 64) checksumsOfZeros.set(length, known);
  return known;
}

/** Where each segment begins, and at last where the tail does. */
function startsOf(segments: readonly Segment[]): number[] {
  const starts = [head.length];
  for (const { bytes } of segments) starts.push(starts.at(-1)! + bytes);
  return starts;
}

/** If the way in which files are put together changes, its name must. */
const manner = "gz-1";

const descriptionOf = ({ size, chunkBytes }: StoredImage, segments: readonly Segment[]): string =>
  [manner, size, chunkBytes, ...segments.map(({ bytes, name }) => `${bytes} ${name}`)].join("\n");

async function* read(
  image: StoredImage,
  segments: readonly Segment[],
  starts: readonly number[],
  span: Span,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const within = (bytes: Uint8Array<ArrayBuffer>, start: number) =>
    bytes.subarray(Math.max(0, span.start - start), Math.max(0, span.end - start));
  const tailStart = starts.at(-1)!;
  const isFromHead = span.start < head.length;
  const from = segments.findIndex((_, index) => starts[index + 1]! > span.start);
  const to = starts.findLastIndex((start, index) => index < segments.length && start < span.end) + 1;
  if (from >= 0 && from < to) {
    const values = image.open(from, to);
    try {
      for (let index = from; index < to; index++) {
        const { lie, length } = segments[index]!;
        const value = (await values.next())!;
        if (isFromHead && index === from) yield within(head.slice(), 0); // a store that fails at once is answered with a status
        yield within(segmentOf(lie, length, value), starts[index]!);
      }
    } finally {
      values.close();
    }
  } else if (isFromHead) yield within(head.slice(), 0);
  if (span.end > tailStart) yield within(tailOf(checksumOf(segments), image.size), tailStart);
}

function checksumOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { crc32: next, length }) => combineCrc32(sum, next, length), 0);
}
