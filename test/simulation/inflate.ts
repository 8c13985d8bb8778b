// Inflates a gzip member at once: the platform's inflaters work in other threads, and when those are done can't be repeated.
import { crc32, inflateRawSync, constants as zlib } from "node:zlib";

const headBytes = 10;
const tailBytes = 8;

/** As `DecompressionStream("gzip")` is: it takes one member, and refuses one that is damaged, ends early or has bytes after it. */
export function inflateAtOnce(): TransformStream<Uint8Array, Uint8Array> {
  let packed = Buffer.alloc(0);
  let given = 0;
  return new TransformStream({
    transform(piece, controller) {
      packed = Buffer.concat([packed, piece]);
      const { bytes, left } = inflated(packed);
      if (left > tailBytes) throw new TypeError("Trailing junk found after the end of the compressed stream");
      if (bytes.length > given) controller.enqueue(new Uint8Array(bytes.subarray(given)));
      given = bytes.length;
    },
    flush() {
      const { bytes, left } = inflated(packed);
      if (left < tailBytes) throw new TypeError("unexpected end of file");
      const tail = packed.subarray(packed.length - tailBytes);
      if (tail.readUInt32LE(0) !== crc32(bytes)) throw new TypeError("incorrect data check");
      if (tail.readUInt32LE(4) !== bytes.length) throw new TypeError("incorrect length check");
    },
  });
}

/** What comes out of a member as far as it is there, and how many bytes are left after its data. Its head is as short as heads are. */
function inflated(packed: Buffer): { bytes: Buffer; left: number } {
  if (packed.length > 1 && packed.readUInt16BE(0) !== 0x1f8b) throw new TypeError("incorrect header check");
  if (packed.length <= headBytes) return { bytes: Buffer.alloc(0), left: 0 };
  const data = packed.subarray(headBytes);
  const { buffer, engine } = inflateRawSync(data, {
    finishFlush: zlib.Z_SYNC_FLUSH,
    info: true,
  }) as never as {
    buffer: Buffer;
    engine: { bytesWritten: number };
  };
  return { bytes: buffer, left: data.length - engine.bytesWritten };
}
