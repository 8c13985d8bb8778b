/** How a reader gets the chunks of a running transfer: one after the other, or any of them without moving on. */
import type { Place } from "./places.ts";

/** A published chunk as a cursor gets it. */
export interface WindowChunk {
  readonly index: number;
  readonly digest: string | null;
  readonly length: number;
  /** The cursor's own copy. `undefined` if the chunk is no longer in memory. A hole is never in memory. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

/** One reader's place in the window. */
export interface Cursor {
  /** The next chunk, as soon as there is one; `undefined` at the end; rejects with the transfer's failure. */
  next(): Promise<WindowChunk | undefined>;
  /**
   * Any chunk, without moving on, as soon as there is one. `undefined` if the image ends before it. `held-up` if the transfer has no room
   * for it before a reader moves on.
   */
  look(index: number): Promise<WindowChunk | "held-up" | undefined>;
  close(): void;
}

/** What a cursor sees of its window. */
export interface WindowView {
  /** Throws the transfer's failure. `none`: the image ends before the chunk. */
  stateAt(index: number): "published" | "to come" | "none";
  /** The bytes are the reader's, who has it now. */
  take(index: number): WindowChunk;
  copy(index: number): WindowChunk;
  /** Whether no chunk comes before a reader moves on. */
  isHeldUp(): boolean;
  /** Settles when something has changed. */
  change(): Promise<void>;
  changed(): void;
}

/** Reads from a place on. */
export function readFrom(window: WindowView, place: Place): Pick<Cursor, "next" | "look"> {
  const beginToWait = () => {
    if (place.isWaiting) return; // at each turn, two waiting cursors would wake each other for ever
    place.isWaiting = true;
    window.changed(); // room() may now forget what others lag behind with
  };

  return {
    async next() {
      try {
        for (;;) {
          const state = window.stateAt(place.position);
          if (place.failure) throw place.failure;
          if (state === "published") return handOver(window, place);
          if (state === "none") return undefined;
          beginToWait();
          await window.change();
        }
      } finally {
        place.isWaiting = false;
      }
    },
    async look(index) {
      try {
        for (;;) {
          const state = window.stateAt(index);
          if (state === "published") return window.copy(index);
          if (state === "none") return undefined;
          if (window.isHeldUp()) return "held-up";
          place.isLooking = true;
          await window.change();
        }
      } finally {
        place.isLooking = false;
      }
    },
  };
}

function handOver(window: WindowView, place: Place): WindowChunk {
  const index = place.position++;
  const chunk = window.take(index);
  window.changed();
  return chunk;
}
