/** SHA-256 of an image as a file. Chunks are added as they come, in order. Those that came in another way are read from the store. */
import { isSha256 } from "../checks.ts";
import type { MemoryBudget } from "../memory/budget.ts";
import { detachIfWhole } from "../memory/free.ts";
import type { RunningSha256 } from "../types.ts";
import type { ChunkPlace } from "./chunk-store.ts";
import type { Manifest } from "./manifest.ts";
import { readImage } from "./read-image.ts";

export class FileSha256 {
  readonly #create: () => RunningSha256;
  #running: RunningSha256 | undefined;
  /** Index of the first chunk that was not added yet. */
  #next = 0;
  #failure: { readonly cause: unknown } | undefined;

  constructor(create: () => RunningSha256) {
    this.#create = create;
  }

  /** Adds a chunk, if it is the next one. Its bytes are used until this settles. Never rejects: `finish` says what went wrong. */
  async add(index: number, bytes: Uint8Array): Promise<void> {
    if (index !== this.#next || this.#failure) return;
    this.#next += 1;
    try {
      this.#running ??= this.#create();
      await this.#running.update(bytes);
    } catch (cause) {
      this.#failure = { cause };
    }
  }

  /** Chunks from this one on were wrong. What was hashed can't be taken back, so it begins again. */
  takeBack(index: number): void {
    if (index >= this.#next) return;
    this.#running = undefined;
    this.#next = 0;
  }

  /** The digest, in hex. `onChunk` is called for each chunk that is read for it. Rejects if a chunk or the hash can't be had. */
  async finish(
    place: ChunkPlace & { readonly memory: MemoryBudget },
    image: Pick<Manifest, "size" | "chunkBytes" | "chunks">,
    onChunk: () => void,
  ): Promise<string> {
    const source = readImage(place, image, this.#next, image.chunks.length);
    try {
      for (let chunk = await source.next(); chunk; chunk = await source.next()) {
        onChunk();
        await this.add(this.#next, chunk);
        detachIfWhole(chunk);
      }
    } finally {
      source.close();
    }
    if (this.#failure) throw this.#failure.cause;
    const digest = await (this.#running ?? this.#create()).digest();
    if (isSha256(digest)) return digest;
    throw new TypeError("A running hash must give 64 hex digits in lower case");
  }
}
