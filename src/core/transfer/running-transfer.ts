/** The interface of a running transfer, for its readers and for the accounts of the store's room. */

import type { Cursor } from "../memory/cursor.ts";
import type { TransferWindow } from "../memory/window.ts";
import type { StoredChunk } from "../store/stored-chunk.ts";
import type { TransferStart } from "./transfer-head.ts";
import type { Outcome, TransferOptions } from "./transfer-options.ts";

export interface RunningTransfer {
  readonly options: TransferOptions;
  readonly window: TransferWindow;
  /** Chunks that it has written, or goes on from: its part of the store's room. */
  readonly written: Map<string, StoredChunk>;
  /** Compressed bytes that are kept of parts under way: their keys and lengths. */
  readonly pieces: ReadonlyMap<string, number>;
  /** Settles when the upstream has answered. */
  readonly started: Promise<TransferStart>;
  /** Settles at the very end, after the commit. Rejects with what went wrong. */
  readonly outcome: Promise<Outcome>;
  /** Keeps the transfer alive until the returned function is called; when the last one leaves, it is cancelled. */
  hold(): () => void;
  /** A cursor that also holds the transfer. */
  read(position: number): Cursor;
  /** Gives up the commit but not the delivery; settles when nothing is being written any more. */
  stopStoring(): Promise<void>;
}
