/** A gzip decompressor over `node:zlib`, several times as fast as Node's own `DecompressionStream`. */
import { finished } from "node:stream/promises";
import { createGunzip, type Gunzip } from "node:zlib";

// With zlib's default of 16 KiB most of the time goes into handing pieces over.
const outputBytes = 1024 * 1024;

/**
 * Makes a decompressor of one gzip member, for the manager's `inflate` option.
 *
 * It keeps about 1 MiB of output ahead of its reader. A member that ends early, or bytes after its end, error both sides;
 * so does aborting one of them, which frees the decompressor at once. The readable side is a byte stream: each piece is its
 * reader's own.
 *
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
 * import { fsAdapter } from "balena-image-manager/adapters/fs";
 * import { nodeInflate } from "balena-image-manager/node";
 *
 * const images = createImageManager({
 *   source: balenaSdkSource(),
 *   storage: fsAdapter({ base: "./images" }),
 *   inflate: nodeInflate,
 * });
 * ```
 */
export function nodeInflate(): TransformStream<Uint8Array, Uint8Array> {
  const gunzip = createGunzip({ chunkSize: outputBytes, rejectGarbageAfterEnd: true });
  return { readable: outputOf(gunzip), writable: inputOf(gunzip) };
}

/** A byte stream, so that whoever reads a piece may free it at once. */
function outputOf(gunzip: Gunzip): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      gunzip.on("data", (piece: Buffer<ArrayBuffer>) => {
        gunzip.pause(); // before the hand-over, which may ask for more at once
        controller.enqueue(isLastOfItsBuffer(piece) ? piece : new Uint8Array(piece));
      });
      gunzip.once("end", () => {
        controller.close();
        controller.byobRequest?.respond(0); // else who reads into a buffer of his own would wait for ever
      });
      gunzip.on("error", (failure) => controller.error(failure));
      gunzip.pause(); // until somebody reads
    },
    pull: () => void gunzip.resume(),
    cancel: (reason) => void gunzip.destroy(asError(reason)),
  });
}

/** zlib goes on filling a buffer that still has room, but takes another after one that has none: it can go with the piece. */
function isLastOfItsBuffer({ byteOffset, byteLength, buffer }: Buffer): boolean {
  return byteOffset + byteLength === buffer.byteLength;
}

function inputOf(gunzip: Gunzip): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    start(controller) {
      gunzip.on("error", (failure) => controller.error(failure));
      // A sink's `abort` would wait for a write that waits for a reader.
      controller.signal.addEventListener("abort", () => gunzip.destroy(asError(controller.signal.reason)));
    },
    write: (bytes) => write(gunzip, bytes),
    close: () => finished(gunzip.end()),
  });
}

/** Settles when the bytes are inflated. Listens for errors itself: zlib forgets the write that a destroy interrupts. */
function write(gunzip: Gunzip, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    gunzip.once("error", reject);
    gunzip.write(bytes, (failure) => {
      gunzip.off("error", reject);
      if (failure) reject(failure);
      else resolve();
    });
  });
}

/** Without an error a stream that is destroyed may still emit what it holds. */
function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("The inflating was aborted", { cause: reason });
}
