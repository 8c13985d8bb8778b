/** Passes bytes through a transform stream, such as a decompressor, whose output is bounded. */
import { leaveInflater } from "../leave-inflater.ts";
import { arePiecesOurs, detachBuffer } from "../memory/free.ts";

/** What comes out, in a buffer of its own. @throws {RangeError} if it is more than `maxBytes`; the rest is not waited for. */
export async function passThrough(
  { readable, writable }: TransformStream<Uint8Array, Uint8Array>,
  bytes: Uint8Array<ArrayBuffer>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const isToFree = arePiecesOurs(readable);
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const writing = writer.write(bytes).then(() => writer.close());
  // What fails one side fails the other one, which is read.
  for (const promise of [writing, writer.closed, reader.closed]) promise.catch(() => undefined);
  const output = new Uint8Array(maxBytes);
  for (let length = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return length === maxBytes ? output : output.slice(0, length);
    if (length + value.length > maxBytes) {
      leaveInflater(writer, reader);
      throw new RangeError(`More than ${maxBytes} bytes came out`);
    }
    output.set(value, length);
    length += value.length;
    if (isToFree) detachBuffer(value);
  }
}
