/** Counts by how many contents a chunk is named. A store may have millions of chunks, so the counts lie in two flat arrays. */
import { bytesAt, type Content } from "./content.ts";

/** From here on a chunk is not counted down any more: it stays. */
const most = 0xffff;

export class ChunkCounts {
  /** Numbers of chunks, each at the first free place from its own on. 0: free. */
  readonly #ids: Uint32Array;
  readonly #counts: Uint16Array;
  readonly #mask: number;
  /** Bytes of all counted chunks, each once. */
  totalBytes = 0;

  /** `only`: nothing but the chunks of these is counted. */
  constructor(contents: readonly Content[], only?: readonly Content[]) {
    const chunks = (only ?? contents).reduce((sum, { ids }) => sum + ids.length, 0);
    const places = 2 ** Math.ceil(Math.log2(Math.max(8, 1.5 * chunks)));
    this.#ids = new Uint32Array(places);
    this.#counts = new Uint16Array(places);
    this.#mask = places - 1;
    for (const { ids } of only ?? []) for (const id of ids) this.#ids[this.#placeOf(id)] = id;
    for (const content of contents) this.#add(content, only === undefined);
  }

  /** How many contents name it. */
  countOf(id: number): number {
    return this.#counts[this.#placeOf(id)]!;
  }

  /** Takes a content out; gives the chunks, with their bytes, that no other content names. */
  release(content: Content): Map<number, number> {
    const released = new Map<number, number>();
    for (let index = 0; index < content.ids.length; index++) {
      const place = this.#placeOf(content.ids[index]!);
      const count = this.#counts[place]!;
      if (count === 0 || count === most) continue;
      this.#counts[place] = count - 1;
      if (count === 1) released.set(content.ids[index]!, bytesAt(content, index));
    }
    for (const bytes of released.values()) this.totalBytes -= bytes;
    return released;
  }

  #add(content: Content, isNew: boolean): void {
    const { ids } = content;
    // By index: these loops go through all chunks of a store.
    for (let index = 0; index < ids.length; index++) {
      const id = ids[index]!;
      const place = this.#placeOf(id);
      if (this.#ids[place] === 0) {
        if (!isNew) continue;
        this.#ids[place] = id;
      }
      const count = this.#counts[place]!;
      if (count === 0) this.totalBytes += bytesAt(content, index);
      if (count < most) this.#counts[place] = count + 1;
    }
  }

  #placeOf(id: number): number {
    // The digits of a digest are random already.
    let place = id & this.#mask;
    while (this.#ids[place] !== 0 && this.#ids[place] !== id) place = (place + 1) & this.#mask;
    return place;
  }
}
