/**
 * Names pieces before their bytes have come, several at a time. So a piece seldom waits for the journal, and the journal needs no segment for
 * each piece. A name without a piece does no harm: a reader takes it for the end.
 */
import type { WirePiece } from "../store/wire.ts";
import type { PendingNews } from "./wire-news.ts";

/** 32 MiB: what comes in a second over a link of 250 Mbit/s. */
const namesAhead = 8;

/** Where a piece lies: in which part, of which file, and its bytes. */
export type PiecePlace = Pick<WirePiece, "part" | "etag" | "offset" | "bytes">;

interface Name {
  readonly piece: WirePiece;
  readonly isNamed: Promise<boolean>;
}

export class PieceNames {
  readonly #epoch: number;
  readonly #news: PendingNews;
  /** Bytes of a full piece at a place; 0 if there is to be none. */
  readonly #bytesAt: (part: number, offset: number) => number;
  #count = 0;
  /** Those that have not been used, of one part, one after the other. */
  #names: readonly Name[] = [];

  constructor(epoch: number, news: PendingNews, bytesAt: (part: number, offset: number) => number) {
    this.#epoch = epoch;
    this.#news = news;
    this.#bytesAt = bytesAt;
  }

  /** The piece that is to be written there, once the journal names it. `undefined` if it never will. */
  async claim(place: PiecePlace): Promise<WirePiece | undefined> {
    const known = this.#names.findIndex(({ piece }) => isAt(piece, place));
    const [name, ...rest] = known >= 0 ? this.#names.slice(known) : [this.#name(place)];
    const { piece, isNamed } = name!;
    this.#names = this.#withMore(piece, rest);
    this.#news.hurry(piece);
    return (await isNamed) ? piece : undefined;
  }

  /** Forgets those of a part, and says whether there were any. */
  drop(part: number): boolean {
    const isAny = this.#names[0]?.piece.part === part;
    if (isAny) this.#names = [];
    return isAny;
  }

  #withMore(used: WirePiece, names: readonly Name[]): readonly Name[] {
    const all = [...names];
    for (let last = all.at(-1)?.piece ?? used; all.length < namesAhead; last = all.at(-1)!.piece) {
      const { part, etag } = last;
      const offset = last.offset + last.bytes;
      const bytes = this.#bytesAt(part, offset);
      if (bytes === 0) break;
      all.push(this.#name({ part, etag, offset, bytes }));
    }
    return all;
  }

  #name({ part, etag, offset, bytes }: PiecePlace): Name {
    const piece = { part, etag, epoch: this.#epoch, n: this.#count++, offset, bytes };
    return { piece, isNamed: this.#news.named(piece) };
  }
}

const isAt = (piece: WirePiece, { part, etag, offset, bytes }: PiecePlace) =>
  piece.part === part && piece.etag === etag && piece.offset === offset && piece.bytes === bytes;
