/**
 * The chunks of an image that is being transferred, for an edit. The edit never waits for the stream that it is for: a chunk comes from
 * memory, from the store, or with the transfer, which runs on into the store. If the transfer can't go on before its readers do, because
 * nothing of it can be stored, the chunk comes by another transfer.
 */
import type { ManagerContext } from "../../context.ts";
import { EditError, ImageChangedError } from "../../errors.ts";
import { isMadeEachTime } from "../../identity.ts";
import type { WindowChunk } from "../../memory/cursor.ts";
import { readChunk } from "../../store/chunk-store.ts";
import { ChunkUnavailable } from "../../store/read-image.ts";
import type { RunningTransfer } from "../../transfer/running-transfer.ts";
import type { TransferHead } from "../../transfer/transfer-head.ts";
import { followNew } from "../join-transfer.ts";
import type { ResolvedGet } from "../resolved-get.ts";
import { type AccessedChunk, type ChunkAccess, createForwardReader } from "./chunk-access.ts";

/** Other transfers for one edit. An edit that reads back and forth more often needs an image that can be stored. */
const maxOtherTransfers = 16;

/** Until it is closed, the first chunks stay in memory if the store does not get them: the stream may begin with them. */
export function accessTransfer(
  context: ManagerContext,
  get: ResolvedGet,
  transfer: RunningTransfer,
  head: TransferHead,
): ChunkAccess {
  const { window } = transfer;
  const cursor = transfer.read(0);
  let others = 0;
  let other: RunningTransfer | undefined;

  const forward = createForwardReader(async (index, failure) => {
    if (failure !== undefined && !(failure instanceof ChunkUnavailable)) throw failure;
    if (isMadeEachTime(get.identity.variant)) throw new EditError("failed", notTwice);
    others += 1;
    if (others > maxOtherTransfers) throw new EditError("failed", tooOften);
    const options = optionsOfOther(get, transfer);
    const following = await followNew(context, options, index, get.signal);
    other = following.transfer;
    return following.chunks;
  });

  const stored = async ({ digest, length, bytes }: WindowChunk): Promise<AccessedChunk | undefined> => {
    if (digest === null || bytes) return { digest, bytes };
    const read = await readChunk(context, digest, length, get.signal).catch(() => undefined);
    return read && { digest, bytes: read };
  };

  const byOther = async (index: number): Promise<AccessedChunk> => {
    const bytes = await forward.chunk(index);
    if (!bytes) throw new ImageChangedError(`The image ended before chunk ${index}`);
    return { digest: other!.window.digests[index]!, bytes };
  };

  return {
    chunkBytes: window.chunkBytes,
    async size() {
      if (head.size !== undefined) return head.size;
      const end = await cursor.look(Number.MAX_SAFE_INTEGER);
      if (end !== "held-up") return window.size;
      await forward.chunk(Number.MAX_SAFE_INTEGER);
      return other!.window.size;
    },
    async chunk(index) {
      const chunk = await cursor.look(index);
      if (chunk === undefined) throw new ImageChangedError(`The image ended before chunk ${index}`);
      return (chunk !== "held-up" && (await stored(chunk))) || byOther(index);
    },
    close() {
      cursor.close();
      forward.close();
    },
  };
}

const notTwice =
  "The upstream makes this image for each download, and it can't be stored, so an edit can read only its beginning: edit the plain image";

const tooOften = `The edit goes back in the image more than ${maxOtherTransfers} times, and the image can't be stored: read it from the beginning to the end`;

/** All of the image, compared with what has come, and not stored. */
function optionsOfOther({ id, identity }: ResolvedGet, { window, options }: RunningTransfer) {
  return {
    id,
    identity,
    isStored: false,
    chunkBytes: window.chunkBytes,
    previous: options.previous,
    expected: [...window.digests],
  };
}
