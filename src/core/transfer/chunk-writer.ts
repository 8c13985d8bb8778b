/** Writes the chunks of one transfer to the store, encoded if the manager does so: several at a time, as far as memory lets it. */
import type { ManagerContext } from "../context.ts";
import { encodeChunk } from "../store/chunk-codec.ts";
import { chunkKey } from "../store/keys.ts";
import type { StoredChunk } from "../store/stored-chunk.ts";

/** A way into the store. */
export interface ChunkWriter {
  /** Writes a chunk, whose bytes must not change until it settles. `false`: it may not be stored. Rejects if the store fails. */
  write(digest: string, chunk: Uint8Array<ArrayBuffer>): Promise<boolean>;
  /** From now on chunks are written as they are, because encoding them takes too long. `false` if they are in any case. */
  stopEncoding(): boolean;
}

/** Makes one. `admit` says whether there is room for a chunk, and counts it in. */
export function createChunkWriter(
  context: Pick<ManagerContext, "store" | "hash" | "codec" | "memory">,
  admit: (digest: string, chunk: StoredChunk) => Promise<boolean>,
): ChunkWriter {
  const { store, hash, memory } = context;
  let { codec } = context;
  const account = memory.open();
  let ended = Promise.withResolvers<void>();

  /** An encoded chunk is as long as the chunk at the most. */
  const withMemory = async <T>(bytes: number, run: () => Promise<T>): Promise<T> => {
    if (!codec.encoding) return run();
    while (!account.tryTake(bytes)) await ended.promise;
    try {
      return await run();
    } finally {
      account.give(bytes);
      ended.resolve();
      ended = Promise.withResolvers();
    }
  };

  return {
    write: (digest, chunk) =>
      withMemory(chunk.length, async () => {
        const { stored, bytes } = await encodeChunk({ codec, hash }, chunk);
        if (!(await admit(digest, stored))) return false;
        await store.write(chunkKey(digest), bytes);
        return true;
      }),
    stopEncoding() {
      const wasEncoding = codec.encoding !== undefined;
      codec = { ...codec, encoding: undefined };
      return wasEncoding;
    },
  };
}
