/** Deletes the chunks of a transfer that no image will ever name. They would take room from every other image. */
import type { ManagerContext } from "../context.ts";
import { eachOf } from "../each.ts";
import { chunkIdOf } from "../store/chunk-ids.ts";
import { chunkKey } from "../store/keys.ts";
import { orStoreFault } from "../store-fault.ts";
import type { WritingTransfer } from "./content.ts";
import { neededChunks } from "./needed.ts";

/** Deletes the chunks that a transfer has written, but for those that something else needs. Never rejects. */
export async function discard(context: ManagerContext, transfer: WritingTransfer): Promise<void> {
  if (transfer.written.size === 0) return;
  await orStoreFault(context, "remove", () => context.serially(() => removeWritten(context, transfer)));
}

async function removeWritten(context: ManagerContext, transfer: WritingTransfer): Promise<void> {
  const inventory = await context.inventory();
  if (inventory.isUncertain) return; // in doubt a chunk is kept: an image that can't be read now may need it
  const needed = neededChunks(context, inventory, transfer);
  const superfluous = [...transfer.written].filter(([digest]) => !needed.has(chunkIdOf(digest)));
  await eachOf(superfluous, async ([digest, { bytes }]) => {
    await context.store.remove(chunkKey(digest));
    context.room.usedBytes -= bytes;
  });
  transfer.written.clear();
}
