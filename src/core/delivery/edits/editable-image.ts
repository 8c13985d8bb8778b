/** The image as an edit sees it: any bytes, with what earlier edits have laid over them. */
import { bounds } from "../../bounds.ts";
import { isCount } from "../../checks.ts";
import { InvalidArgumentError } from "../../errors.ts";
import type { MemoryBudget } from "../../memory/budget.ts";
import { detachIfWhole } from "../../memory/free.ts";
import type { EditableImage } from "../../types.ts";
import { unlessAborted } from "../../waiting.ts";
import type { ChunkAccess } from "./chunk-access.ts";
import { type Layer, layOver } from "./spans.ts";

/** An image for edits, and what they have read. */
export interface ReadableImage {
  readonly image: EditableImage;
  /** Digests of the chunks that were read, by index. */
  readonly seen: ReadonlyMap<number, string | null>;
  /** Frees all chunks. Reads fail from then on. */
  close(): void;
}

/**
 * Chunks that were read last stay in memory as long as nobody else needs it: an edit reads many small pieces of a few chunks. Those that
 * the stream has read ahead are lent by it.
 */
export function createEditableImage(
  memory: MemoryBudget,
  access: ChunkAccess,
  size: number,
  layers: readonly Layer[],
  signal: AbortSignal,
): ReadableImage {
  const { chunkBytes } = access;
  const seen = new Map<number, string | null>();
  const kept = new Map<number, Uint8Array<ArrayBuffer>>();
  let previous: Promise<unknown> = Promise.resolve();
  let inUse: number | undefined;

  const dropOldest = (): boolean => {
    const oldest = [...kept].find(([index]) => index !== inUse);
    if (!oldest) return false;
    kept.delete(oldest[0]);
    detachIfWhole(oldest[1]);
    account.give(chunkBytes);
    return true;
  };
  const account = memory.open(dropOldest);

  /** `undefined` for zeros. */
  const chunkOf = async (index: number): Promise<Uint8Array | undefined> => {
    const known = kept.get(index);
    if (known) {
      kept.delete(index); // to become the newest
      kept.set(index, known);
    }
    if (known || seen.get(index) === null) return known;
    const lent = await access.lend?.(index);
    if (lent) {
      seen.set(index, lent.digest);
      return lent.bytes;
    }
    while (!account.tryTake(chunkBytes) && dropOldest());
    try {
      const { digest, bytes } = await access.chunk(index);
      seen.set(index, digest);
      if (bytes) kept.set(index, bytes);
      return bytes;
    } finally {
      if (!kept.has(index)) account.give(chunkBytes);
    }
  };

  const fill = async (bytes: Uint8Array, start: number): Promise<void> => {
    const end = start + bytes.length;
    for (let index = Math.floor(start / chunkBytes); index * chunkBytes < end; index++) {
      signal.throwIfAborted();
      inUse = index; // others may ask for memory at any time
      const chunk = await chunkOf(index);
      const from = Math.max(start, index * chunkBytes);
      const part = chunk?.subarray(from - index * chunkBytes, end - index * chunkBytes);
      if (part) bytes.set(part, from - start);
    }
    inUse = undefined;
    layOver(bytes, start, layers);
  };

  const read = async (start: number, end: number): Promise<Uint8Array> => {
    assertReadable(start, end, size);
    const bytes = new Uint8Array(end - start);
    // One after the other: each holds a chunk at the most.
    const reading = previous.then(() => fill(bytes, start));
    previous = reading.catch(() => undefined);
    await unlessAborted(signal, () => reading);
    return bytes;
  };

  return {
    image: { size, read, signal },
    seen,
    close() {
      kept.clear();
      account.close();
    },
  };
}

function assertReadable(start: unknown, end: unknown, size: number): void {
  if (!isCount(start) || !isCount(end) || start > end || end > size) {
    throw new InvalidArgumentError(
      `"read" takes the first byte and the byte after the last one, within the image of ${size} bytes`,
    );
  }
  if (end - start > bounds.editReadBytes)
    throw new InvalidArgumentError(`"read" returns at most ${bounds.editReadBytes} bytes at a time`);
}
