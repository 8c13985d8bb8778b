/** How chunks lie in the store: {@link ChunkEncoding}. */

/** A format that stored chunks may have, by its usual name. */
export type ChunkFormat = "gzip" | "zstd";

/**
 * Decodes a chunk that holds at most `maxBytes`. It rejects if the bytes are no such chunk, or hold more than that. The given bytes must
 * not change until it settles.
 */
export type ChunkDecoder = (
  bytes: Uint8Array<ArrayBuffer>,
  maxBytes: number,
) => Promise<Uint8Array<ArrayBuffer>>;

/**
 * Encodes the chunks that a manager stores, and may bring decoders. Take one from `gzipEncoding` or `zstdEncoding`. The manager trusts it:
 * what it makes must decode to what it was given.
 */
export interface ChunkEncoding {
  /** The format that `encode` makes. */
  readonly format: ChunkFormat;
  /** Encodes a chunk. The given bytes do not change until it settles, and it must not change them. */
  encode(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Decoders that are better than the runtime's own, by format. A format without one is decoded by `DecompressionStream`, if that knows the
   * format. Default: none.
   */
  readonly decoders?: Readonly<Partial<Record<ChunkFormat, ChunkDecoder>>> | undefined;
}
