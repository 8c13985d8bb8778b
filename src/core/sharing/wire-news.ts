/** What the journal has not yet said of pieces. A piece is written only when its name is in the journal. */
import type { WireNews, WirePiece } from "../store/wire.ts";

export class PendingNews {
  #dropped: number[] = [];
  #pieces: WirePiece[] = [];
  #provenParts: number | undefined;
  #storedBelow: number | undefined;
  #arrival = Promise.withResolvers<void>();
  #store = Promise.withResolvers<void>();
  readonly #waiting = new Map<WirePiece, (isNamed: boolean) => void>();
  #isAbandoned = false;

  get isAny(): boolean {
    const facts = [this.#provenParts, this.#storedBelow].filter((fact) => fact !== undefined);
    return this.#dropped.length + this.#pieces.length + facts.length > 0;
  }

  /** Settles when a piece waits for its name. */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  /** Settles when a piece has been stored. That can wait as long as chunks may. */
  get storing(): Promise<void> {
    return this.#store.promise;
  }

  /** Pieces that are there already, and need only be named. */
  tell(pieces: readonly WirePiece[]): void {
    this.#pieces.push(...pieces);
  }

  /** Settles when the journal names the piece (`true`), or if it never will. */
  named(piece: WirePiece): Promise<boolean> {
    if (this.#isAbandoned) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiting.set(piece, resolve);
    this.tell([piece]);
    return promise;
  }

  /** The bytes of the piece have come. */
  hurry(piece: WirePiece): void {
    if (!this.#pieces.includes(piece)) return; // the journal names it, or is about to
    this.#arrival.resolve();
  }

  /** The piece is written, and so are all with a lower number that ever will be. */
  stored({ n }: WirePiece): void {
    this.#storedBelow = n + 1;
    this.#store.resolve();
  }

  /** All pieces of a part are gone. */
  drop(part: number): void {
    for (const piece of this.#pieces) if (piece.part === part) this.#settle(piece, false);
    this.#pieces = this.#pieces.filter((piece) => piece.part !== part);
    this.#dropped.push(part);
  }

  /** So many parts, from the first on, have passed their check. */
  prove(parts: number): void {
    this.#provenParts = parts;
  }

  /** For the next segment. */
  take(): WireNews | undefined {
    if (!this.isAny) return undefined;
    const [dropped, pieces] = [this.#dropped, this.#pieces];
    const facts = {
      ...(this.#provenParts !== undefined && { provenParts: this.#provenParts }),
      ...(this.#storedBelow !== undefined && { storedBelow: this.#storedBelow }),
    };
    [this.#dropped, this.#pieces] = [[], []];
    [this.#provenParts, this.#storedBelow] = [undefined, undefined];
    [this.#arrival, this.#store] = [Promise.withResolvers(), Promise.withResolvers()];
    return { dropped, pieces, ...facts };
  }

  /** The segment is written. */
  written({ pieces }: WireNews): void {
    for (const piece of pieces) this.#settle(piece, true);
  }

  /** No more segments come. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#pieces = this.#pieces.filter((piece) => !this.#waiting.has(piece));
    for (const piece of this.#waiting.keys()) this.#settle(piece, false);
  }

  #settle(piece: WirePiece, isNamed: boolean): void {
    this.#waiting.get(piece)?.(isNamed);
    this.#waiting.delete(piece);
  }
}
