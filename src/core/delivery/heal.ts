/** How a stream of a cached image goes on when a chunk is missing or damaged: the chunk is fetched again, checked and rewritten. */
import type { ManagerContext } from "../context.ts";
import { ImageChangedError, IntegrityError, isImageManagerError } from "../errors.ts";
import { readChunk } from "../store/chunk-store.ts";
import { imageKey } from "../store/keys.ts";
import { chunkLength, type Manifest } from "../store/manifest.ts";
import { type ChunkSource, ChunkUnavailable, readImage } from "../store/read-image.ts";
import { orStoreFault } from "../store-fault.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import { createWayAround, storeFaultOf } from "./around-store.ts";
import { type FetchedChunks, fetchChunks } from "./heal-range.ts";
import { createHealSource, type HealSource } from "./heal-source.ts";
import { followNew } from "./join-transfer.ts";
import type { ResolvedGet } from "./resolved-get.ts";

/** Adjacent chunks that one ranged request fetches at the most; and such requests that one stream makes. */
const maxRunChunks = 8;
const maxRuns = 3;
/** Whole transfers that one stream makes. The first is shared and may follow a process whose chunks are lost too; the second is not. */
const maxTransfers = 2;

/** A stream's way of recovery. */
export interface Healer {
  /** Another way to the chunks from `index` on. */
  recover(index: number, failure: unknown): Promise<ChunkSource>;
  close(): void;
}

/**
 * Makes it, for chunks up to `end` (exclusive). Few bad chunks cost a range, many a whole transfer. Of an image in parts any number of them
 * costs the parts that they lie in, each once.
 */
export function createHealer(
  context: ManagerContext,
  get: ResolvedGet,
  manifest: Manifest,
  end: number,
): Healer {
  const source = createHealSource(context, manifest, get.signal);
  let runs = 0;
  let transfers = 0;
  let isAround = false;
  const aroundStore = createWayAround(context, get, manifest, end);
  const recover = async (index: number, failure: unknown) => {
    if (failure instanceof ImageChangedError && !isAround) await forget(context, get.id);
    if (!(failure instanceof ChunkUnavailable)) throw failure;
    const fault = storeFaultOf(failure);
    isAround = fault !== undefined; // then nothing is known to be wrong with what is stored
    if (fault) return aroundStore(index, fault);
    const nowhere = new IntegrityError(get.id, index, { cause: failure });
    if (get.mode === "only-if-cached") throw nowhere;
    const run = await badRun(context, manifest, index, end);
    const isByParts = await source.isByParts();
    get.signal.throwIfAborted();
    if (failure instanceof RangeFailed) {
      source.close();
      runs = maxRuns;
    } else if (!isByParts) runs = run > maxRunChunks ? maxRuns : runs + 1;
    const ranged =
      runs < maxRuns ? await byRange(context, get, manifest, source, index, run, end) : undefined;
    if (ranged) return ranged;
    transfers += 1;
    if (transfers > maxTransfers) throw nowhere;
    return byTransfer(context, get, manifest, index, run, transfers === 1);
  };
  return { recover, close: source.close };
}

/** The ranged request was answered, but not with the right bytes. */
class RangeFailed extends ChunkUnavailable {}

/** The rest of the stored image can't be fetched any more: the next get must fetch the new image. */
async function forget(context: ManagerContext, id: string): Promise<void> {
  await orStoreFault(context, "remove", () => context.store.remove(imageKey(id)));
}

/** How many chunks from `index` on are bad in a row; one more than the limit stands for many. */
async function badRun(
  context: ManagerContext,
  manifest: Manifest,
  index: number,
  end: number,
): Promise<number> {
  for (let next = index + 1; next < end && next - index <= maxRunChunks; next++) {
    try {
      if (await readChunk(context, manifest.chunks[next]!, chunkLength(manifest, next))) return next - index;
    } catch {
      return next - index; // a chunk that can't be read may be sound
    }
  }
  return Math.min(end - index, maxRunChunks + 1);
}

/** The run by itself, then the store again; `undefined` if the upstream does not hand out less than all. */
async function byRange(
  context: ManagerContext,
  get: ResolvedGet,
  manifest: Manifest,
  healSource: HealSource,
  index: number,
  run: number,
  end: number,
): Promise<ChunkSource | undefined> {
  const tellHealed = healing(context, get.id);
  let fetched: FetchedChunks;
  try {
    fetched = await fetchChunks(context, manifest, healSource, index, index + run, get.signal);
  } catch (failure) {
    get.signal.throwIfAborted();
    if (isImageManagerError(failure)) return undefined;
    throw failure;
  }
  let source: ChunkSource = fetched;
  let position = index;
  return {
    async next() {
      if (position === index + run && source === fetched) {
        fetched.close();
        source = readImage(context, manifest, position, end);
      }
      if (source !== fetched) return source.next();
      const chunk = await fetched.next().catch((cause: unknown) => {
        throw new RangeFailed(position, { cause });
      });
      position += 1;
      // Not with the next chunk: nobody may ask for it.
      if (position === index + run) tellHealed(fetched.rewritten());
      return chunk;
    },
    close: () => source.close(),
  };
}

/** The whole image once more, compared with the manifest. */
async function byTransfer(
  context: ManagerContext,
  { id, identity, signal }: ResolvedGet,
  manifest: Manifest,
  index: number,
  run: number,
  isStored: boolean,
): Promise<ChunkSource> {
  const options: TransferOptions = {
    id,
    identity,
    isStored,
    expected: manifest.chunks,
    chunkBytes: manifest.chunkBytes,
    previous: manifest,
  };
  const tellHealed = healing(context, id);
  try {
    const { transfer, chunks } = await followNew(context, options, index, signal);
    const isRewritten = transfer.options.isStored;
    return isRewritten ? tellingAfter(chunks, run, () => tellHealed(run)) : chunks;
  } catch (cause) {
    if (!isImageManagerError(cause) || cause.code !== "UPSTREAM") throw cause;
    throw new IntegrityError(id, index, { cause });
  }
}

function tellingAfter(chunks: ChunkSource, count: number, tell: () => void): ChunkSource {
  let left = count;
  return {
    async next() {
      const chunk = await chunks.next();
      left -= 1;
      if (chunk && left === 0) tell();
      return chunk;
    },
    close: () => chunks.close(),
  };
}

/** Says, when it is called, how many chunks were healed since now. */
function healing({ emit, now }: ManagerContext, image: string): (chunks: number) => void {
  const startedAt = now();
  return (chunks) => {
    if (chunks > 0) emit({ type: "healed", image, chunks, durationMs: now() - startedAt });
  };
}
