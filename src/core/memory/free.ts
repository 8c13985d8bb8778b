/**
 * The memory of pieces of an image, given back as soon as they are copied, written or sent. Left to the garbage collector they cost
 * more than fetching them: V8 marks its whole heap for every 20 to 60 MiB of buffers that come and go.
 */

/**
 * Whether the pieces of a stream are their reader's alone. Those of the runtime's byte streams are, for they take the buffers from
 * whoever enqueues them (Streams Standard, ReadableByteStreamController). Those of other streams may be anybody's.
 */
export function arePiecesOurs(stream: ReadableStream<Uint8Array>): boolean {
  if (!(stream instanceof ReadableStream)) return false; // a polyfill's need not take them
  try {
    stream.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}

/** Leaves nothing of a piece whose buffer is nobody else's. */
export function detachBuffer({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer?.(0); // older runtimes have no such method
}

/** The same, but leaves a piece alone that is a part of a larger buffer: what else is in there may be anybody's. */
export function detachIfWhole(piece: Uint8Array): void {
  if (piece.byteLength === piece.buffer.byteLength) detachBuffer(piece);
}
