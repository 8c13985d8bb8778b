/**
 * How a stream of a cached image continues if the store can't be read. A chunk that is late or can't be read is not damaged. It is read
 * once more, or comes from the upstream, and nothing is written back.
 */
import type { ManagerContext } from "../context.ts";
import {
  ImageChangedError,
  type ImageManagerError,
  isImageManagerError,
  isUpstreamUnavailable,
} from "../errors.ts";
import type { Manifest } from "../store/manifest.ts";
import { type ChunkSource, type ChunkUnavailable, readImage } from "../store/read-image.ts";
import { asking } from "../store-fault.ts";
import { followNew } from "./join-transfer.ts";
import type { ResolvedGet } from "./resolved-get.ts";

/** The store's fault by which a chunk could not be read; `undefined` if it was read, and is missing or damaged. */
export function storeFaultOf({ cause }: ChunkUnavailable): ImageManagerError | undefined {
  return isImageManagerError(cause) && cause.code === "STORE" ? cause : undefined;
}

/** Makes a stream's way around a store that fails, for chunks up to `end` (exclusive). */
export function createWayAround(
  context: ManagerContext,
  get: ResolvedGet,
  manifest: Manifest,
  end: number,
): (index: number, fault: ImageManagerError) => Promise<ChunkSource> {
  let triedIndex: number | undefined;
  let isLastWay = get.mode === "only-if-cached";

  return async (index, fault) => {
    context.emit({ type: "store-fault", operation: "read", cause: fault });
    // A read that failed with a reason was tried twice. If other reads went on, a late one may have had a dead connection.
    const isWorthAnother = fault.cause === undefined && triedIndex !== index;
    triedIndex = index;
    if (isWorthAnother && (isLastWay || !context.store.isLeftAlone))
      return fromStore(context, manifest, index, end);
    if (isLastWay) throw fault;
    try {
      return await fromUpstream(context, get, manifest, index);
    } catch (failure) {
      if (!isUpstreamUnavailable(failure) && !(failure instanceof ImageChangedError)) throw failure;
      isLastWay = true; // nobody else has these bytes: the store is worth another wait
      return fromStore(asking(context, "briefly"), manifest, index, end);
    }
  };
}

function fromStore(context: ManagerContext, manifest: Manifest, index: number, end: number): ChunkSource {
  return readImage(context, manifest, index, end);
}

/** By a transfer of its own, compared with what is stored and not stored itself. */
async function fromUpstream(
  context: ManagerContext,
  { id, identity, signal }: ResolvedGet,
  manifest: Manifest,
  index: number,
): Promise<ChunkSource> {
  const options = {
    id,
    identity,
    isStored: false,
    expected: manifest.chunks,
    chunkBytes: manifest.chunkBytes,
    previous: manifest,
  };
  return (await followNew(context, options, index, signal)).chunks;
}
