/** Reads the chunks of a running transfer: from its window if the chunk is in memory, otherwise from the store. */
import { type ChunkPlace, readChunk } from "../store/chunk-store.ts";
import { type ChunkSource, ChunkUnavailable } from "../store/read-image.ts";
import type { RunningTransfer } from "../transfer/running-transfer.ts";

/** Chunks of a transfer from an index on, as they come. Ends after the commit. Closing it may end the transfer. */
export function followTransfer(transfer: RunningTransfer, place: ChunkPlace, from: number): ChunkSource {
  const cursor = transfer.read(from);
  return {
    async next() {
      const chunk = await cursor.next();
      if (!chunk) return undefined;
      const bytes = chunk.bytes ?? (await readStored(place, chunk));
      if (bytes) return bytes;
      throw new ChunkUnavailable(chunk.index);
    },
    close: () => cursor.close(),
  };
}

async function readStored(
  place: ChunkPlace,
  chunk: { index: number; digest: string | null; length: number },
) {
  try {
    return await readChunk(place, chunk.digest, chunk.length);
  } catch (cause) {
    throw new ChunkUnavailable(chunk.index, { cause });
  }
}
