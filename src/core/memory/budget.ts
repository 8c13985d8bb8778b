/** Shares `memoryBytes` among all streams and transfers of a manager. Each may always use one chunk, so none can starve. */

/** One stream's or transfer's part of the budget. */
export interface MemoryAccount {
  readonly heldBytes: number;
  /**
   * Takes the bytes if there is room now, or if nothing is held yet and they are needed: somebody waits for them. What is only
   * read ahead has no such right, or each of many streams that nobody reads would hold a chunk more than it needs.
   */
  tryTake(bytes: number, isNeeded?: boolean): boolean;
  /** Takes the bytes if they are free: nobody is asked to drop anything. */
  takeFree(bytes: number): boolean;
  give(bytes: number): void;
  /** Gives back all that is held and leaves. */
  close(): void;
}

/** The budget; `usedBytes` is for tests and metrics. */
export interface MemoryBudget {
  readonly limitBytes: number;
  readonly usedBytes: number;
  /** `reclaim` is called when memory is short: drop something (and give it back) and say `true`, or say `false`. */
  open(reclaim?: () => boolean): MemoryAccount;
}

/** Makes a budget of so many bytes. */
export function createMemoryBudget(limitBytes: number): MemoryBudget {
  let usedBytes = 0;
  const reclaimers = new Set<() => boolean>();

  return {
    limitBytes,
    get usedBytes() {
      return usedBytes;
    },
    open(reclaim) {
      let heldBytes = 0;
      if (reclaim) reclaimers.add(reclaim);
      const fits = (bytes: number, isNeeded: boolean) =>
        (isNeeded && heldBytes === 0) || usedBytes + bytes <= limitBytes;
      const give = (bytes: number) => {
        const given = Math.min(bytes, heldBytes); // after close() nothing is held
        heldBytes -= given;
        usedBytes -= given;
      };
      const takeIfFits = (bytes: number, isNeeded: boolean) => {
        if (!fits(bytes, isNeeded)) return false;
        heldBytes += bytes;
        usedBytes += bytes;
        return true;
      };
      return {
        get heldBytes() {
          return heldBytes;
        },
        tryTake(bytes, isNeeded = true) {
          for (const other of reclaimers) while (!fits(bytes, isNeeded) && other());
          return takeIfFits(bytes, isNeeded);
        },
        takeFree: (bytes) => takeIfFits(bytes, false),
        give,
        close() {
          if (reclaim) reclaimers.delete(reclaim);
          give(heldBytes);
        },
      };
    },
  };
}

/** How many chunks are wanted at a time: as many as fit into so many bytes, within limits. The budget may allow fewer. */
export function chunksWithin(
  bytes: number,
  chunkBytes: number,
  [min, max]: readonly [min: number, max: number],
): number {
  return Math.min(max, Math.max(min, Math.floor(bytes / chunkBytes)));
}
