// A gzip decompressor that refuses bytes after the member's end, as other runtimes' do; Node's own may go on with the next member.
import { constants, crc32, inflateRawSync } from "node:zlib";

const headBytes = 10; // a header without optional fields
const trailerBytes = 8;

/**
 * A `DecompressionStream("gzip")` by the letter of the Compression Streams specification. Plain rather than quick: it inflates all
 * that it has got so far again and again, so give it little.
 */
export function strictInflater(): TransformStream<Uint8Array, Uint8Array> {
  let fed = Buffer.alloc(0);
  let given = 0;
  let end: { readonly trailer: Buffer; readonly raw: Buffer } | undefined;

  return new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      fed = Buffer.concat([fed, piece]);
      if (fed.length >= 2 && fed.readUInt16BE() !== 0x1f8b)
        throw new TypeError("The compressed data was not valid");
      if (fed.length <= headBytes) return;
      const { raw, takenBytes } = inflateSoFar(fed.subarray(headBytes));
      if (raw.length > given) controller.enqueue(new Uint8Array(raw.subarray(given)));
      given = raw.length;
      const trailer = fed.subarray(headBytes + takenBytes);
      if (trailer.length > trailerBytes)
        throw new TypeError("Trailing junk after the end of the compressed stream");
      end = { trailer, raw };
    },
    flush() {
      if (end?.trailer.length !== trailerBytes) throw new TypeError("The compressed input was truncated");
      const { trailer, raw } = end;
      if (trailer.readUInt32LE() !== crc32(raw) || trailer.readUInt32LE(4) !== raw.length)
        throw new TypeError("The compressed data was not valid");
    },
  });
}

function inflateSoFar(deflated: Buffer): { raw: Buffer; takenBytes: number } {
  // Says how much it took: nothing beyond the deflate stream's end.
  const options = { finishFlush: constants.Z_SYNC_FLUSH, info: true };
  const { buffer, engine } = inflateRawSync(deflated, options) as unknown as {
    buffer: Buffer;
    engine: { bytesWritten: number };
  };
  return { raw: buffer, takenBytes: engine.bytesWritten };
}
