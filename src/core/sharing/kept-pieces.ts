/** The pieces of parts that lie in the store: which ones there are, their bytes, and how they go. */
import type { ByteStore } from "../store/byte-store.ts";
import { wireKey } from "../store/keys.ts";
import { readWirePiece, type WireParts, type WirePiece } from "../store/wire.ts";
import type { Hasher } from "../types.ts";

/** Where the pieces are, and who is told. */
export interface PieceStore {
  readonly id: string;
  readonly store: ByteStore;
  readonly hash: Hasher;
  /** Counts bytes out of what is stored. */
  removed(bytes: number): void;
  onFault(operation: string, cause: unknown): void;
}

export class KeptPieces {
  readonly #place: PieceStore;
  readonly #parts = new Map<number, readonly WirePiece[]>();

  constructor(place: PieceStore) {
    this.#place = place;
  }

  get parts(): WireParts {
    return this.#parts;
  }

  get all(): WirePiece[] {
    return [...this.#parts.values()].flat();
  }

  /** Their keys and lengths. */
  get stored(): Map<string, number> {
    return new Map(this.all.map((piece) => [wireKey(this.#place.id, piece), piece.bytes]));
  }

  of(part: number): readonly WirePiece[] {
    return this.#parts.get(part) ?? [];
  }

  /** Takes over those of an earlier transfer. */
  inherit(parts: WireParts): void {
    for (const [part, pieces] of parts) this.#parts.set(part, pieces);
  }

  add(piece: WirePiece): void {
    this.#parts.set(piece.part, [...this.of(piece.part), piece]);
  }

  /** Deletes all of a part. Says whether there was any. */
  async remove(part: number): Promise<boolean> {
    const isAny = this.#parts.has(part);
    await this.#delete(this.of(part));
    this.#parts.delete(part);
    return isAny;
  }

  async removeAll(): Promise<void> {
    await this.#delete(this.all);
    this.#parts.clear();
  }

  /** The bytes of a part, one piece ahead, for the store may be far away. It ends at the first piece that is not right: the rest go. */
  async *read(part: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const pieces = this.of(part);
    let next = this.#read(pieces[0]);
    for (const [index, piece] of pieces.entries()) {
      const bytes = await next;
      if (!bytes) return this.#truncate(part, piece.offset);
      next = this.#read(pieces[index + 1]);
      yield bytes;
    }
  }

  async #read(piece: WirePiece | undefined): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { store, hash, id, onFault } = this.#place;
    try {
      return piece && (await readWirePiece(store, hash, id, piece));
    } catch (cause) {
      onFault("read", cause);
      return undefined;
    }
  }

  async #truncate(part: number, offset: number): Promise<void> {
    const [sound, bad]: WirePiece[][] = [[], []];
    for (const piece of this.of(part)) (piece.offset < offset ? sound : bad)!.push(piece);
    this.#parts.set(part, sound!);
    await this.#delete(bad!).catch((cause: unknown) => this.#place.onFault("remove", cause));
  }

  async #delete(pieces: readonly WirePiece[]): Promise<void> {
    const { id, store, removed } = this.#place;
    await store.removeMany(pieces.map((piece) => wireKey(id, piece)));
    removed(pieces.reduce((bytes, piece) => bytes + piece.bytes, 0));
  }
}
