// A store as the core's functions of chunks want it: hashed by the web platform, and not encoded unless a test says how.
import { webHash } from "../../src/core/digest.ts";
import type { ChunkEncoding } from "../../src/core/index.ts";
import type { ByteStore } from "../../src/core/store/byte-store.ts";
import type { ChunkPlace } from "../../src/core/store/chunk-store.ts";

const inflater = () => new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;

export const placeOf = (store: ByteStore, encoding?: ChunkEncoding): ChunkPlace => ({
  store,
  hash: webHash,
  codec: { encoding, inflater },
});
