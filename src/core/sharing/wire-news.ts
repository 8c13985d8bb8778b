/** What the journal has not yet said of pieces. A piece is written only when its name is in the journal. */
import type { WireNews, WirePiece } from "../store/wire.ts";

export class PendingNews {
  #dropped: number[] = [];
  #pieces: WirePiece[] = [];
  #provenParts: number | undefined;
  #arrival = Promise.withResolvers<void>();
  readonly #waiting = new Map<WirePiece, (isNamed: boolean) => void>();
  #isAbandoned = false;

  /** Whether a piece wants to be named. */
  get isAny(): boolean {
    return this.#pieces.length > 0;
  }

  /** Settles when a piece wants to be named. */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  /** Pieces that are there already, and need only be named. */
  tell(pieces: readonly WirePiece[]): void {
    if (pieces.length === 0) return;
    this.#pieces.push(...pieces);
    this.#arrival.resolve();
  }

  /** Settles when the journal names the piece (`true`), or if it never will. */
  named(piece: WirePiece): Promise<boolean> {
    if (this.#isAbandoned) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiting.set(piece, resolve);
    this.tell([piece]);
    return promise;
  }

  /** All pieces of a part are gone. That can wait for a segment that is written anyway. */
  drop(part: number): void {
    for (const piece of this.#pieces) if (piece.part === part) this.#settle(piece, false);
    this.#pieces = this.#pieces.filter((piece) => piece.part !== part);
    this.#dropped.push(part);
  }

  /** So many parts, from the first on, have passed their check. That can wait for a segment that is written anyway. */
  prove(parts: number): void {
    this.#provenParts = parts;
  }

  /** For the next segment. */
  take(): WireNews | undefined {
    const [dropped, pieces, provenParts] = [this.#dropped, this.#pieces, this.#provenParts];
    if (dropped.length + pieces.length === 0 && provenParts === undefined) return undefined;
    [this.#dropped, this.#pieces, this.#provenParts] = [[], [], undefined];
    this.#arrival = Promise.withResolvers();
    return { dropped, pieces, ...(provenParts !== undefined && { provenParts }) };
  }

  /** The segment is written. */
  written({ pieces }: WireNews): void {
    for (const piece of pieces) this.#settle(piece, true);
  }

  /** No more segments come. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const piece of this.#waiting.keys()) this.#settle(piece, false);
  }

  #settle(piece: WirePiece, isNamed: boolean): void {
    this.#waiting.get(piece)?.(isNamed);
    this.#waiting.delete(piece);
  }
}
