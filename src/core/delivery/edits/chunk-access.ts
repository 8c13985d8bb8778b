/** How an edit gets at the chunks of its image, in whatever order. */
import { detachIfWhole } from "../../memory/free.ts";
import type { ChunkSource } from "../../store/read-image.ts";

/** A chunk, verified. */
export interface AccessedChunk {
  /** `null` for zeros. */
  readonly digest: string | null;
  /** `undefined` for zeros. In a buffer of its own, if it is not lent. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

/** The chunks of one image, for one edit. One call at a time. */
export interface ChunkAccess {
  readonly chunkBytes: number;
  /** Bytes of the image. May have to wait for its end. */
  size(): Promise<number>;
  chunk(index: number): Promise<AccessedChunk>;
  /** A chunk that is somebody else's, and costs no memory: copy what is needed at once. `undefined` if none is to be had so. */
  lend?(index: number): Promise<AccessedChunk | undefined>;
  close(): void;
}

/** Reads forward. Going back, or going on after a failure, opens the chunks again. */
export interface ForwardReader {
  /** Whether the chunk is still to come. */
  isAhead(index: number): boolean;
  /** `undefined` if the image ends before it. */
  chunk(index: number, failure?: unknown): Promise<Uint8Array<ArrayBuffer> | undefined>;
  close(): void;
}

/** `open` opens the chunks from one on, because of a failure. It rejects if there is no way any more. */
export function createForwardReader(
  open: (index: number, failure: unknown) => Promise<ChunkSource>,
): ForwardReader {
  let source: ChunkSource | undefined;
  let position = 0;
  let isClosed = false;

  const leave = () => {
    source?.close();
    source = undefined;
  };
  const openAt = async (index: number, failure: unknown) => {
    leave();
    const next = await open(index, failure);
    if (isClosed) next.close(); // a read that the edit did not wait for
    source = next;
    position = index;
    return next;
  };
  const next = async (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    for (let from = source!; ; ) {
      try {
        return await from.next();
      } catch (failure) {
        from = await openAt(position, failure);
      }
    }
  };
  const isAhead = (index: number) => source !== undefined && index >= position;

  return {
    isAhead,
    async chunk(index, failure) {
      if (!isAhead(index)) await openAt(index, failure);
      for (;;) {
        const bytes = await next();
        position += 1;
        if (!bytes || position > index) return bytes;
        detachIfWhole(bytes);
      }
    },
    close() {
      isClosed = true;
      leave();
    },
  };
}
