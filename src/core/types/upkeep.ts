/** What `prune` and `verify` take and report. */

import type { Progress } from "./get.ts";

/** Limits that {@link ImageManager.prune} enforces. */
export interface PruneLimits {
  /** Most bytes that stored images may take. Default: the manager's `maxBytes`. */
  maxBytes?: number | undefined;
  /** Evict images that have not been used for this many milliseconds. Default: no limit. */
  unusedForMs?: number | undefined;
}

/** What {@link ImageManager.prune} did. */
export interface PruneReport {
  /** Ids of the deleted images. */
  readonly evicted: readonly string[];
  /** Bytes of the chunks that were deleted with these images and with broken transfers. `orphans` are not included. */
  readonly freedBytes: number;
  /** Number of deleted chunks that nothing needed. Two calls had found them unused. */
  readonly orphans: number;
  /** Number of deleted transfers that had broken off: they were older than a day, or the limits needed their room. */
  readonly partials: number;
  /** Number of deleted leases that nobody had renewed for a day. */
  readonly leases: number;
  /**
   * Ids of images whose manifest can't be read. They were skipped. If the store failed to read one, no orphan was deleted, because the
   * image may need it.
   */
  readonly unreadable: readonly string[];
}

/** Options of {@link ImageManager.verify}. */
export interface VerifyOptions {
  /** Download damaged chunks again, and delete manifests that can't be read. Default `false`: only report. */
  repair?: boolean | undefined;
  /** Aborts the call, which then rejects with the signal's reason. Default: none. */
  signal?: AbortSignal | undefined;
  /** Called after each chunk. It counts stored bytes that were read. Errors that it throws are ignored. Default: none. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** An image with missing or damaged chunks. */
export interface DamagedImage {
  /** The manifest's id, as in {@link ImageInfo.id}. */
  readonly id: string;
  /** Canonical slug of the device type. */
  readonly deviceType: string;
  /** The exact version. */
  readonly version: string;
  /** Indexes of the missing or damaged chunks. */
  readonly chunks: readonly number[];
  /** `true` if `repair` was set and replaced all of these chunks. */
  readonly isRepaired: boolean;
}

/** What {@link ImageManager.verify} found. */
export interface VerifyReport {
  /** Number of images whose manifest can be read. */
  readonly images: number;
  /** Number of chunks that these images need. A chunk that several images need counts once. */
  readonly chunks: number;
  /** Bytes of those chunks. */
  readonly checkedBytes: number;
  /**
   * Number of chunks that were damaged in one place of the store, and sound in another one: near and far in a tiered store. The damaged value has
   * been replaced. `damaged` has only chunks that no place has.
   */
  readonly readAgain: number;
  /** Images that need a missing or damaged chunk. */
  readonly damaged: readonly DamagedImage[];
  /** Ids of images whose manifest can't be read. */
  readonly unreadable: readonly string[];
  /** Number of chunks that nothing needs. `prune` deletes them. */
  readonly orphans: number;
  /** Bytes of the chunks that nothing needs. */
  readonly reclaimableBytes: number;
}
