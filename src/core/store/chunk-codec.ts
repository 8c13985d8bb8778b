/** Turns chunks into what is stored, and back. Which format a stored chunk has is seen by its first bytes. */
import { StoreError } from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import { detachIfWhole } from "../memory/free.ts";
import type { ChunkDecoder, ChunkEncoding, ChunkFormat, Hasher } from "../types.ts";
import { passThrough } from "./pass-through.ts";
import type { StoredChunk } from "./stored-chunk.ts";

/** How a manager encodes and decodes chunks. */
export interface ChunkCodec {
  /** Absent: chunks are stored as they are. */
  readonly encoding: ChunkEncoding | undefined;
  /** Makes a gzip decompressor for chunks for which `encoding` brings no decoder. */
  inflater(): TransformStream<Uint8Array, Uint8Array>;
}

/** An encoded chunk above this share of its length is not worth decoding: it is stored as it is. */
const worthwhile = 0.97;

/** A chunk as it is to be stored, with what is known of it. */
export interface EncodedChunk {
  readonly stored: StoredChunk;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Encodes a chunk, if the manager does. The given bytes must not change as long as the result is used, which may have them.
 * @throws {StoreError} `STORE` if an encoding that the caller brought fails.
 */
export async function encodeChunk(
  { codec: { encoding }, hash }: { readonly codec: ChunkCodec; readonly hash: Hasher },
  chunk: Uint8Array<ArrayBuffer>,
): Promise<EncodedChunk> {
  if (!encoding) return { stored: { bytes: chunk.length }, bytes: chunk };
  try {
    const encoded = await encoding.encode(chunk);
    const crc32 = checksumOfMember(encoded, chunk.length);
    if (encoded.length > worthwhile * chunk.length)
      return { stored: { bytes: chunk.length, crc32 }, bytes: chunk };
    const { sha256, bytes } = await hash(encoded);
    return { stored: { bytes: bytes.length, sha256, crc32 }, bytes };
  } catch (cause) {
    throw new StoreError("A chunk could not be encoded", { cause: foreignError(cause) });
  }
}

/**
 * The chunk in a stored value, which is used up. `undefined` if it is no encoded chunk of that length.
 * @throws {StoreError} `STORE` with its `format` if this manager can't decode that.
 */
export async function decodeChunk(
  codec: ChunkCodec,
  stored: Uint8Array<ArrayBuffer>,
  length: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const format = formatOf(stored);
  if (!format) return undefined;
  const decode = codec.encoding?.decoders?.[format] ?? platformDecoder(codec, format);
  try {
    const chunk = await decode(stored, length);
    detachIfWhole(stored); // not after a failure: a decoder that was left may still read it
    return chunk.length === length ? chunk : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 1952, section 2.3.1, and RFC 8878, section 3.1.1. */
export function formatOf(bytes: Uint8Array): ChunkFormat | undefined {
  const begins = (...magic: number[]) => magic.every((byte, index) => bytes[index] === byte);
  if (begins(0x1f, 0x8b, 8)) return "gzip";
  return begins(0x28, 0xb5, 0x2f, 0xfd) ? "zstd" : undefined;
}

function platformDecoder({ inflater }: ChunkCodec, format: ChunkFormat): ChunkDecoder {
  const stream = format === "gzip" ? inflater() : decompressorOf(format);
  return (bytes, maxBytes) => passThrough(stream, bytes, maxBytes);
}

/** Runtimes learn formats one after the other: Bun knows zstd. */
function decompressorOf(format: ChunkFormat): TransformStream<Uint8Array, Uint8Array> {
  try {
    return new DecompressionStream(format as CompressionFormat) as unknown as TransformStream;
  } catch (cause) {
    const message = `A stored chunk is encoded with ${format}, which this manager can't decode: set "encoding" to ${format}Encoding() of balena-image-manager/node`;
    throw new StoreError(message, { cause: foreignError(cause), format });
  }
}

const headBytes = 10;
const tailBytes = 14;

/**
 * CRC-32 of the chunk in a gzip member that can be a part of a longer one: a header without extras, and DEFLATE that ends at a whole byte by a
 * sync flush, before an empty last block. `undefined` for any other value.
 */
export function checksumOfMember(encoded: Uint8Array, length: number): number | undefined {
  if (formatOf(encoded) !== "gzip" || encoded[3] !== 0 || encoded.length < headBytes + tailBytes)
    return undefined;
  const tail = new DataView(encoded.buffer, encoded.byteOffset + encoded.length - tailBytes);
  const isCut = tail.getUint32(0) === 0x0000ffff && tail.getUint16(4) === 0x0300;
  return isCut && tail.getUint32(10, true) === length ? tail.getUint32(6, true) : undefined;
}
