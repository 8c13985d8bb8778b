/** Deletes the chunks of a transfer that no image will ever name. They would take room from every other image. */
import type { ManagerContext } from "../context.ts";
import { ChunkCounts } from "../store/chunk-counts.ts";
import { chunkIdOf } from "../store/chunk-ids.ts";
import { chunkKey } from "../store/keys.ts";
import { orStoreFault } from "../store-fault.ts";
import { type WritingTransfer, writtenContent } from "./content.ts";
import { chunksInUse } from "./needed.ts";
import { contentsOf, lookAtStock } from "./stock.ts";

/** Deletes the chunks that a transfer has written, but for those that something else needs. Never rejects. */
export async function discard(context: ManagerContext, transfer: WritingTransfer): Promise<void> {
  if (transfer.written.size === 0) return;
  await orStoreFault(context, "remove", () => context.serially(() => removeWritten(context, transfer)));
}

async function removeWritten(context: ManagerContext, transfer: WritingTransfer): Promise<void> {
  const { written } = transfer;
  const stock = await lookAtStock(context);
  if (stock.isUncertain) return; // in doubt a chunk is kept: what can't be read now may need it
  const ours = writtenContent({ written, pieces: new Map() });
  const counts = new ChunkCounts(contentsOf(stock), [ours]);
  const inUse = chunksInUse(context, transfer);
  const isNeeded = (id: number) => inUse.has(id) || counts.countOf(id) > 0;
  const superfluous = [...written].filter(([digest]) => !isNeeded(chunkIdOf(digest)));
  await context.store.removeMany(superfluous.map(([digest]) => chunkKey(digest)));
  for (const [, { bytes }] of superfluous) context.room.usedBytes -= bytes;
  written.clear();
}
