/**
 * Inflates one part and verifies it. The part is wrapped as a gzip member with the length and CRC-32 that it should have. So the platform's
 * own inflater compares them, fast and on every runtime.
 */
import { crc32 } from "../crc32.ts";
import { foreignError } from "../foreign-error.ts";
import { leaveInflater } from "../leave-inflater.ts";
import { arePiecesOurs, detachBuffer } from "../memory/free.ts";
import type { ImagePart } from "../types.ts";
import type { FilePart } from "./file-parts.ts";
import type { Inflater } from "./gzip-member.ts";
import { provePacked } from "./prove-packed.ts";

type Bytes = Uint8Array<ArrayBufferLike>;

/** The part's bytes are not those that its checksum or its length stand for. */
export class PartDamaged extends Error {
  override readonly name = "PartDamaged";
}

/** Yields the bytes of the image; a piece is good until the next is asked for. @throws {PartDamaged} at the latest at the end. */
export async function* inflatePart(
  part: FilePart,
  wire: AsyncIterable<Bytes>,
  inflater: Inflater,
): AsyncGenerator<Bytes> {
  let bytes = 0;
  const pieces = piecesOf(part, wire, inflater);
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > part.bytes) throw new PartDamaged(`Part ${part.name} has more than ${part.bytes} bytes`);
    yield piece;
  }
  if (bytes < part.bytes) throw new PartDamaged(`Part ${part.name} has ${bytes} of ${part.bytes} bytes`);
}

function piecesOf(part: FilePart, wire: AsyncIterable<Bytes>, inflater: Inflater): AsyncGenerator<Bytes> {
  const { packed, encoding } = part;
  if (!packed) return encoding === "identity" ? checked(part, wire) : inflated(part, wire, inflater);
  const unpacked: FilePart = { ...part, ...packed, encoding: "deflate-raw", packed: undefined };
  return provePacked(wire, (copy) => inflatePart(unpacked, copy, inflater));
}

async function* checked(part: ImagePart, wire: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  let checksum = 0;
  for await (const piece of wire) {
    checksum = crc32(piece, checksum);
    yield piece;
  }
  if (checksum !== part.crc32) throw new PartDamaged(`Part ${part.name} has another checksum`);
}

async function* inflated(
  part: ImagePart,
  wire: AsyncIterable<Bytes>,
  inflater: Inflater,
): AsyncGenerator<Bytes> {
  const stream = inflater();
  const isToFree = arePiecesOurs(stream.readable);
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  for (const closed of [writer.closed, reader.closed]) closed.catch(() => undefined);
  let failure: { readonly cause: unknown } | undefined;
  const feeding = (async () => {
    for await (const piece of gzipMember(
      part,
      watched(wire, (cause) => (failure = { cause })),
    )) {
      await writer.ready;
      writer.write(piece as Uint8Array<ArrayBuffer>).catch(() => undefined);
    }
    await writer.close();
  })();
  feeding.catch((cause: unknown) => writer.abort(cause).catch(() => undefined));
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
      if (isToFree) detachBuffer(value);
    }
    await feeding;
  } catch (cause) {
    if (failure) throw failure.cause; // the connection's, not the inflater's
    throw new PartDamaged(`Part ${part.name} can't be inflated, or has another checksum`, {
      cause: foreignError(cause),
    });
  } finally {
    leaveInflater(writer, reader);
  }
}

/** Keeps apart what goes wrong on the wire from what goes wrong with inflating. */
async function* watched(
  wire: AsyncIterable<Bytes>,
  onFailure: (cause: unknown) => void,
): AsyncGenerator<Bytes> {
  try {
    yield* wire;
  } catch (cause) {
    onFailure(cause);
    throw cause;
  }
}

/** RFC 1952: a header without a name or time; the part and an empty final block; then what all of it should be. */
async function* gzipMember({ bytes, crc32 }: ImagePart, wire: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
  yield* wire;
  const end = new DataView(new ArrayBuffer(10));
  end.setUint16(0, 0x0003, true);
  end.setUint32(2, crc32, true);
  end.setUint32(6, bytes % 2 ** 32, true);
  yield new Uint8Array(end.buffer);
}
