/** Where the readers of a running transfer are, and what they wait for. */
import { ImageChangedError } from "../errors.ts";

/** How far a reader is. */
export interface Place {
  position: number;
  isWaiting: boolean;
  /** It waits for a chunk that it looks at without moving on. */
  isLooking: boolean;
  /** Set if the reader was given a chunk that turned out to be wrong. */
  failure?: ImageChangedError;
}

export class Places {
  readonly #places = new Set<Place>();

  get count(): number {
    return this.#places.size;
  }

  add(position: number): Place {
    const place: Place = { position, isWaiting: false, isLooking: false };
    this.#places.add(place);
    return place;
  }

  remove(place: Place): void {
    this.#places.delete(place);
  }

  /** Whether a reader has yet to get a chunk. */
  areBefore(index: number): boolean {
    return [...this.#places].some(({ position }) => position <= index);
  }

  get isAnyWaiting(): boolean {
    return [...this.#places].some(({ isWaiting }) => isWaiting);
  }

  get isAnyLooking(): boolean {
    return [...this.#places].some(({ isLooking }) => isLooking);
  }

  /** Whether there are readers, and each of them waits for a chunk that has not come. */
  get areAllHeldUp(): boolean {
    const places = [...this.#places];
    return places.length > 0 && places.every(({ isWaiting, isLooking }) => isWaiting || isLooking);
  }

  /** A chunk was delivered that turned out to be wrong: its readers can't go on. */
  failThosePast(index: number): void {
    for (const place of this.#places) {
      if (place.position > index)
        place.failure = new ImageChangedError(
          `Chunk ${index} was delivered before the check of its part failed, and its bytes are different now`,
        );
    }
  }
}
