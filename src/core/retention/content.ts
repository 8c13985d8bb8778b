/** The room that running transfers take in the store, in the same form as that of images. */
import { type Content, contentOfChunks, contentOfPieces, joined } from "../store/content.ts";
import type { StoredChunk } from "../store/stored-chunk.ts";

/** A transfer, as far as it takes up room: a running one is one. */
export interface WritingTransfer {
  /** Chunks that it has written, or goes on from. */
  readonly written: Map<string, StoredChunk>;
  /** Keys of compressed pieces of parts under way that it has written, or goes on from, with their bytes. */
  readonly pieces: ReadonlyMap<string, number>;
}

/** What a running transfer has written. */
export function writtenContent({ written, pieces }: WritingTransfer): Content {
  const chunks = [...written].map(([digest, { bytes }]) => [digest, bytes] as const);
  return joined(contentOfChunks(chunks), contentOfPieces(pieces));
}
