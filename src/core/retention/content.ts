/** The room that transfers take in the store, in the same form as that of images. */
import { chunkIdOf } from "../store/chunk-ids.ts";
import type { StoredJournal } from "../store/inventory.ts";
import type { Content } from "./accounting.ts";

/** A journal lists whole chunks only. */
export function contentOf({ header: { chunkBytes }, chunks }: StoredJournal): Content {
  return { chunkBytes, size: chunks.length * chunkBytes, chunks };
}

/** A transfer, as far as it takes up room: a running one is one. */
export interface WritingTransfer {
  /** Chunks that it has written, or goes on from, with their bytes. */
  readonly written: Map<string, number>;
  readonly window: { readonly chunkBytes: number };
}

/** What a running transfer has written. One whose last chunk is short counts as a little more than it is. */
export function writtenContent({ written, window: { chunkBytes } }: WritingTransfer): Content {
  const chunks = Float64Array.from(written.keys(), chunkIdOf);
  return { chunkBytes, size: chunks.length * chunkBytes, chunks };
}
