/**
 * Frees the memory of an image's pieces as soon as they are copied, written or sent. Garbage collection of the pieces costs more than
 * downloading them: V8 marks its whole heap for every 20 to 60 MiB of buffers.
 */

/**
 * Whether the pieces of a stream are their reader's alone. Those of the runtime's byte streams are, for they take the buffers from
 * the one that enqueues them (Streams Standard, ReadableByteStreamController). Those of other streams may be anybody's.
 */
export function arePiecesOurs(stream: ReadableStream<Uint8Array>): boolean {
  if (!(stream instanceof ReadableStream)) return false; // a polyfill's stream may not take them
  try {
    stream.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}

/** Frees the whole buffer under a piece, with all else that is in it: only for a buffer that is nobody else's. */
export function detachBuffer({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer?.(0); // older runtimes have no such method
}

/** The safe way: frees a piece that is all of its buffer. A part of a larger one stays, for the rest of that may be anybody's. */
export function detachIfWhole(piece: Uint8Array): void {
  if (piece.byteLength === piece.buffer.byteLength) detachBuffer(piece);
}
