/** Starts and joins transfers. */
import type { ManagerContext } from "../context.ts";
import type { ChunkSource } from "../store/read-image.ts";
import type { RunningTransfer } from "../transfer/running-transfer.ts";
import { Transfer } from "../transfer/transfer.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import { unlessAborted } from "../waiting.ts";
import { followTransfer } from "./follow-transfer.ts";

/** Joins the running transfer of an image, or starts it. The caller holds it until it calls `release`. */
export function joinTransfer(
  context: ManagerContext,
  options: TransferOptions,
): { transfer: RunningTransfer; release: () => void } {
  const transfer = context.transfers.get(options.id) ?? startTransfer(context, options);
  return { transfer, release: transfer.hold() };
}

/** A transfer, and its chunks from the one on that was asked for. */
export interface Following {
  readonly transfer: RunningTransfer;
  readonly chunks: ChunkSource;
}

/** Starts a transfer and reads along from a chunk on. Later gets share it if no other one runs. */
export async function followNew(
  context: ManagerContext,
  options: TransferOptions,
  index: number,
  signal: AbortSignal,
): Promise<Following> {
  const transfer = transferFor(context, options);
  const release = transfer.hold();
  try {
    await unlessAborted(signal, () => transfer.started);
    // It may have taken over another process's chunk size, and `index` counts in ours: then by one of our own.
    if (options.chunkBytes !== undefined && transfer.window.chunkBytes !== options.chunkBytes)
      return followNew(context, { ...options, isStored: false }, index, signal);
    return { transfer, chunks: followTransfer(transfer, context, index) };
  } finally {
    release();
  }
}

/** A new one, or the running one if that is sure to bring the same: all of the image, with nothing to compare. */
function transferFor(context: ManagerContext, options: TransferOptions): RunningTransfer {
  const running = context.transfers.get(options.id);
  if (options.isStored && !running) return startTransfer(context, options);
  const isPlain = (of: TransferOptions | undefined) => of?.isStored && !of.isConditional && !of.expected;
  if (running && isPlain(options) && isPlain(running.options)) return running;
  return new Transfer(context, { ...options, isStored: false });
}

function startTransfer(context: ManagerContext, options: TransferOptions): RunningTransfer {
  const transfer = new Transfer(context, options);
  context.transfers.set(options.id, transfer);
  return transfer;
}
