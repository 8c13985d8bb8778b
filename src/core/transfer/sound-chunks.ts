/** Looks which chunks of an earlier transfer the store really has. */
import { eachOf } from "../each.ts";
import type { MemoryBudget } from "../memory/budget.ts";
import type { ChunkPlace } from "../store/chunk-store.ts";
import type { Journal } from "../store/journal.ts";
import { chunkKey } from "../store/keys.ts";
import { ChunkUnavailable, readImage } from "../store/read-image.ts";
import type { UpstreamFile } from "../upstream/job.ts";
import type { RequestConditions } from "../upstream/request.ts";

/** What is looked at beyond the journal. */
export interface ResumeContext extends ChunkPlace {
  readonly memory: MemoryBudget;
  readonly signal: AbortSignal;
  /** Told of each chunk that was looked at. */
  moved(): void;
  open(conditions: RequestConditions): Promise<UpstreamFile>;
}

/**
 * How many chunks from the first on the store really has, up to `end`, and `isRight` takes. A journal outlives chunks that were lost with a
 * power cut or deleted, and an image without them would be fetched twice by everyone and never be cached.
 */
export async function soundChunks(
  { header: { chunkBytes }, digests }: Journal,
  start: number,
  end: number,
  context: ResumeContext,
  isRight: (chunk: Uint8Array) => boolean = () => true,
): Promise<number> {
  const image = { chunkBytes, size: digests.length * chunkBytes, chunks: digests };
  const source = readImage(context, image, start, end);
  let sound = start;
  try {
    for (let chunk = await source.next(); chunk; chunk = await source.next()) {
      context.signal.throwIfAborted();
      context.moved();
      if (!isRight(chunk)) return sound;
      sound += 1;
    }
    return end;
  } catch (failure) {
    if (failure instanceof ChunkUnavailable) return failure.index;
    throw failure;
  } finally {
    source.close();
  }
}

/** How many chunks from the first on are there, up to `end`, right or not. */
export async function chunksThere(
  { digests }: Journal,
  start: number,
  end: number,
  { store, signal, moved }: ResumeContext,
): Promise<number> {
  const found = await eachOf(digests.slice(start, end), async (digest) => {
    signal.throwIfAborted();
    moved();
    return digest === null || store.has(chunkKey(digest));
  });
  const missing = found.indexOf(false);
  return missing < 0 ? end : start + missing;
}

/** At least one byte must be left to ask for. */
export function chunksToKeep({ header, digests }: Journal): number {
  return digests.length * header.chunkBytes === header.size ? digests.length - 1 : digests.length;
}
