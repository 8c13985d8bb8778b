/** `zstdEncoding` with `node:zlib`, in its threads. */
import * as zlib from "node:zlib";
import { InvalidArgumentError } from "../../../core/errors.ts";
import type { ChunkEncoding } from "../../../core/types.ts";
import { nodeDecoders } from "./decoders.ts";
import { checkedLevel, type EncodingOptions } from "./options.ts";

/** zstd's own. */
const defaultLevel = 3;

/**
 * Stores chunks as zstd, for the manager's `encoding` option: with `node:zlib` of Node 22.15 and later, Bun and Deno, in its threads. Its chunks
 * are smaller than gzip's, and are made faster. A manager that is to read them needs this option too, or `gzipEncoding` of
 * `balena-image-manager/node`; a Worker can't read them. It brings decoders for gzip and zstd.
 *
 * `level` is 1 (fast) to 19 (small). Default 3.
 *
 * @throws `INVALID_ARGUMENT` if the runtime has no zstd, or the level is out of range.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { fsAdapter } from "balena-image-manager/adapters/fs";
 * import { nodeHash, nodeInflate, zstdEncoding } from "balena-image-manager/node";
 *
 * const images = createImageManager({
 *   source: balenaApiSource(),
 *   storage: fsAdapter({ base: "./images" }),
 *   encoding: zstdEncoding(),
 *   inflate: nodeInflate,
 *   hash: nodeHash,
 * });
 * await images.prefetch("raspberrypi4-64", "6.1.0");
 * ```
 */
export function zstdEncoding(options?: EncodingOptions): ChunkEncoding {
  const { zstdCompress, constants } = zlib as Partial<typeof zlib>;
  if (!zstdCompress || !constants)
    throw new InvalidArgumentError(
      "zstdEncoding needs zstd in node:zlib, which this runtime does not have: use Node 22.15 or later, or gzipEncoding",
    );
  const level = checkedLevel(options, [1, 19], defaultLevel);
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return {
    format: "zstd",
    encode: (chunk) => {
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
      zstdCompress(chunk, { params, pledgedSrcSize: chunk.length }, (failure, packed) => {
        if (failure) reject(failure);
        else resolve(new Uint8Array(packed.buffer as ArrayBuffer, packed.byteOffset, packed.byteLength));
      });
      return promise;
    },
    decoders: nodeDecoders(),
  };
}
