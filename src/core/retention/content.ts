/** The room that transfers take in the store, in the same form as that of images. */
import { chunkIdOf } from "../store/chunk-ids.ts";
import type { StoredJournal } from "../store/inventory.ts";
import type { Content } from "./accounting.ts";

/** A journal lists whole chunks only. */
export function contentOf({ header: { chunkBytes }, chunks, pieces }: StoredJournal): Content {
  return { chunkBytes, size: chunks.length * chunkBytes, chunks, pieces };
}

/** A transfer, as far as it takes up room: a running one is one. */
export interface WritingTransfer {
  /** Chunks that it has written, or goes on from, with their bytes. */
  readonly written: Map<string, number>;
  /** Compressed pieces of parts under way that it has written, or goes on from, with their bytes. */
  readonly pieces: ReadonlyMap<string, number>;
  readonly window: { readonly chunkBytes: number };
}

/** What a running transfer has written. */
export function writtenContent({ written, pieces, window: { chunkBytes } }: WritingTransfer): Content {
  const chunks = Float64Array.from(written.keys(), chunkIdOf);
  const otherBytes = new Map([...pieces].map(([sha256, bytes]) => [chunkIdOf(sha256), bytes]));
  const storedBytes = [...written.values()];
  return { chunkBytes, size: chunks.length * chunkBytes, chunks, storedBytes, pieces: otherBytes };
}
