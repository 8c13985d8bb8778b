/** Decoders of chunks with `node:zlib`, in its threads: gzip, and zstd where the runtime has it. */
import * as zlib from "node:zlib";
import type { ChunkDecoder, ChunkFormat } from "../../../core/types.ts";

type Callback = (failure: Error | null, result: Buffer) => void;

/** Every decoder stops as soon as more than `maxBytes` come out. */
export function nodeDecoders(): Partial<Record<ChunkFormat, ChunkDecoder>> {
  const { zstdDecompress, constants } = zlib as Partial<typeof zlib>;
  const gzip = decoder((bytes, limits, callback) => zlib.gunzip(bytes, limits, callback));
  if (!zstdDecompress || !constants) return { gzip };
  const zstd = decoder((bytes, limits, callback) =>
    zstdDecompress(
      bytes,
      { ...limits, params: { [constants.ZSTD_d_windowLogMax]: windowLog(limits.maxOutputLength) } },
      callback,
    ),
  );
  return { gzip, zstd };
}

/** A frame says how much memory its decoder needs. Ours want no more than the chunk; 8 MiB is what RFC 8878 (section 3.1.1.1.2) advises. */
const windowLog = (bytes: number) => Math.max(23, Math.ceil(Math.log2(bytes)));

function decoder(
  decode: (
    bytes: Uint8Array,
    limits: { readonly maxOutputLength: number; readonly chunkSize: number },
    callback: Callback,
  ) => void,
): ChunkDecoder {
  return (bytes, maxBytes) => {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    // In one buffer, so that nothing has to be put together. zlib takes no smaller one than 64 bytes.
    const limits = { maxOutputLength: maxBytes, chunkSize: Math.max(64, maxBytes) };
    decode(bytes, limits, (failure, chunk) => {
      if (failure) reject(failure);
      else resolve(new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength));
    });
    return promise;
  };
}
