/** `gzipEncoding` with `node:zlib`, in its threads. Its chunks can be put together to a gzip file without being packed again. */
import { constants, createGzip, type Gzip } from "node:zlib";
import type { ChunkEncoding } from "../../../core/types.ts";
import { nodeDecoders } from "./decoders.ts";
import { checkedLevel, type EncodingOptions } from "./options.ts";

// Of an image's chunks it takes 3 % more time than level 1, and 2 % fewer bytes; level 6 takes twice the time for 6 % fewer.
const defaultLevel = 2;
// With zlib's default of 16 KiB, passing pieces takes more time than making them.
const outputBytes = 512 * 1024;

/**
 * Stores chunks as gzip, for the manager's `encoding` option: with `node:zlib` of Node, Bun and Deno, in its threads. Every manager can read
 * the chunks, on every runtime, and the HTTP handler hands out an image that lies like this as a `.gz` file. It also brings decoders for gzip
 * and, if the runtime has it, zstd.
 *
 * `level` is 1 (fast) to 9 (small). Default 2.
 *
 * @throws `INVALID_ARGUMENT` if the level is out of range.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { fsAdapter } from "balena-image-manager/adapters/fs";
 * import { gzipEncoding, nodeHash, nodeInflate } from "balena-image-manager/node";
 *
 * const images = createImageManager({
 *   source: balenaApiSource(),
 *   storage: fsAdapter({ base: "./images" }),
 *   encoding: gzipEncoding(),
 *   inflate: nodeInflate,
 *   hash: nodeHash,
 * });
 * await images.prefetch("raspberrypi4-64", "6.1.0");
 * ```
 */
export function gzipEncoding(options?: EncodingOptions): ChunkEncoding {
  const level = checkedLevel(options, [1, 9], defaultLevel);
  return {
    format: "gzip",
    encode: (chunk) => packed(createGzip({ level, chunkSize: outputBytes }), chunk),
    decoders: nodeDecoders(),
  };
}

/** One member, whose DEFLATE comes to a whole byte before it ends. An end without a flush of its own would leave that out. */
function packed(gzip: Gzip, chunk: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  const pieces: Buffer[] = [];
  gzip.on("data", (piece: Buffer) => pieces.push(piece));
  gzip.on("end", () => resolve(withPlainHead(Buffer.concat(pieces))));
  gzip.on("error", reject);
  gzip.write(chunk);
  gzip.flush(constants.Z_SYNC_FLUSH, () => gzip.end());
  return promise;
}

const [extraFlagsAt, systemAt] = [8, 9];

/** What zlib writes of its level and its system is of no use, and would make equal chunks differ. */
function withPlainHead(member: Buffer<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  member[extraFlagsAt] = 0;
  member[systemAt] = 0xff;
  return new Uint8Array(member.buffer, member.byteOffset, member.byteLength);
}
