/** The room that transfers take in the store, in the same form as that of images. */
import { chunkIdOf, pieceIdOf } from "../store/chunk-ids.ts";
import type { StoredJournal } from "../store/inventory.ts";
import type { StoredChunk } from "../store/stored-chunk.ts";
import type { Content } from "./accounting.ts";

/** A journal lists whole chunks only. */
export function contentOf({ header: { chunkBytes }, chunks, storedBytes, pieces }: StoredJournal): Content {
  return { chunkBytes, size: chunks.length * chunkBytes, chunks, storedBytes, pieces };
}

/** A transfer, as far as it takes up room: a running one is one. */
export interface WritingTransfer {
  /** Chunks that it has written, or goes on from. */
  readonly written: Map<string, StoredChunk>;
  /** Keys of compressed pieces of parts under way that it has written, or goes on from, with their bytes. */
  readonly pieces: ReadonlyMap<string, number>;
  readonly window: { readonly chunkBytes: number };
}

/** What a running transfer has written. */
export function writtenContent({ written, pieces, window: { chunkBytes } }: WritingTransfer): Content {
  const chunks = Float64Array.from(written.keys(), chunkIdOf);
  const otherBytes = new Map([...pieces].map(([key, bytes]) => [pieceIdOf(key), bytes]));
  const storedBytes = Array.from(written.values(), ({ bytes }) => bytes);
  return { chunkBytes, size: chunks.length * chunkBytes, chunks, storedBytes, pieces: otherBytes };
}
