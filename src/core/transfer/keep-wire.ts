/** Connects the pieces of a transfer's compressed bytes with its store, its readers and the room that it takes. */
import type { ManagerContext } from "../context.ts";
import type { TransferWindow } from "../memory/window.ts";
import { admit } from "../retention/room.ts";
import { WirePieces } from "../sharing/wire-pieces.ts";
import { createHoldUp } from "./hold-up.ts";
import type { TransferOptions } from "./transfer-options.ts";

/** Nothing is kept yet. */
export function createWirePieces(
  context: ManagerContext,
  { id, isStored }: TransferOptions,
  window: TransferWindow,
): WirePieces {
  const { store, hash, memory, chunkBytes, room, storeTimeoutMs, keepWireBytes, emit } = context;
  const holdUp = createHoldUp(
    storeTimeoutMs,
    () => window.areReadersWaiting,
    () => {
      pieces.giveUpSlowStore();
      return false;
    },
  );
  const pieces = new WirePieces({
    id,
    store,
    hash,
    memory,
    chunkBytes,
    isKeeping: isStored && keepWireBytes,
    // No image goes for bytes that are of use for a short time only.
    admit: (bytes) => admit(context, bytes, "partials"),
    removed(bytes) {
      room.usedBytes -= bytes;
    },
    wait: (work) => holdUp.during(work),
    onFault: (operation, cause) => emit({ type: "store-fault", operation, cause }),
  });
  return pieces;
}
