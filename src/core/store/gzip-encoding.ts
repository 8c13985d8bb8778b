/** `gzipEncoding`: chunks lie in the store as gzip, made by the web platform. */
import type { ChunkEncoding } from "../types.ts";
import { passThrough } from "./pass-through.ts";

/**
 * Stores chunks as gzip, for the manager's `encoding` option. It needs nothing but the web platform, so it works on every runtime.
 *
 * On Node, Bun and Deno prefer `gzipEncoding` of `balena-image-manager/node`: it is faster, its level can be chosen, and the HTTP handler can
 * hand out its chunks as a `.gz` file.
 *
 * @example
 * ```ts
 * import { createImageManager, gzipEncoding } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 *
 * const images = createImageManager({
 *   source: balenaApiSource(),
 *   storage: memoryAdapter(),
 *   encoding: gzipEncoding(),
 * });
 * await images.prefetch("raspberrypi4-64", "6.1.0");
 * ```
 */
export function gzipEncoding(): ChunkEncoding {
  return {
    format: "gzip",
    async encode(bytes) {
      try {
        return await passThrough(compressor(), bytes, bytes.length);
      } catch (failure) {
        if (failure instanceof RangeError) return bytes; // it does not shrink, so it is stored as it is
        throw failure;
      }
    },
  };
}

// lib.dom does not allow bytes of a SharedArrayBuffer as input. Our bytes are never shared.
const compressor = () => new CompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;
