/**
 * Keeps the compressed bytes of parts as they come over the wire, in pieces, until the chunks that are made of them are in the journal.
 * A piece is named by the journal, then written, one piece at a time: so a kill costs no more than the bytes of two.
 */
import { monotonicMs } from "../clock.ts";
import { StoreError } from "../errors.ts";
import type { MemoryAccount, MemoryBudget } from "../memory/budget.ts";
import { detachIfWhole } from "../memory/free.ts";
import { wireKey } from "../store/keys.ts";
import { endOf, sealWirePiece, type WireParts } from "../store/wire.ts";
import type { ImagePart } from "../types.ts";
import type { KeptBytes, WireKeep } from "../upstream/job.ts";
import { KeptPieces, type PieceStore } from "./kept-pieces.ts";
import { createFilling, type Filling, fillingBytes } from "./wire-filling.ts";
import { PieceNames } from "./wire-names.ts";
import { PendingNews } from "./wire-news.ts";

/** What keeping needs. */
export interface WireOptions extends PieceStore {
  readonly memory: MemoryBudget;
  readonly chunkBytes: number;
  /** Whether new bytes are kept. Those that an earlier transfer has kept are used in any case. */
  readonly isKeeping: boolean;
  /** Counts a piece in. `false` if there is no room for it. */
  admit(bytes: number): Promise<boolean>;
  /** Waits for the store, and calls `giveUpSlowStore` if that delays the delivery for too long. */
  wait(work: Promise<void>): Promise<void>;
}

export class WirePieces implements WireKeep {
  readonly news = new PendingNews();
  readonly #options: WireOptions;
  readonly #account: MemoryAccount;
  readonly #pieces: KeptPieces;
  /** Parts that begin to be kept, or go on from what is kept: the byte that comes next. */
  readonly #ends = new Map<number, number>();
  readonly #finished = new Set<number>();
  /** How often each part was dropped. What was being taken then is of no use any more. */
  readonly #drops = new Map<number, number>();
  readonly #off = Promise.withResolvers<void>();
  /** Set when there is a journal that names pieces. */
  #names: PieceNames | undefined;
  #parts: readonly ImagePart[] = [];
  #current: { readonly part: number; readonly startedMs: number } | undefined;
  #filling: Filling | undefined;
  #isOff: boolean;
  #storing: Promise<void> = Promise.resolve();
  #removing: Promise<void> = Promise.resolve();

  constructor(options: WireOptions) {
    this.#options = options;
    this.#pieces = new KeptPieces(options);
    this.#account = options.memory.open();
    this.#isOff = !options.isKeeping;
  }

  /** Keys and lengths of all pieces. */
  get written(): Map<string, number> {
    return this.#pieces.stored;
  }

  /** Goes on from what an earlier transfer kept of some parts, and from as many parts as have passed their check. */
  inherit(parts: WireParts, provenParts: number): void {
    this.#pieces.inherit(parts);
    this.news.prove(provenParts);
  }

  proven(part: number): void {
    this.news.prove(part + 1);
  }

  /** From now on there is a journal that names pieces. */
  begin(epoch: number, parts: readonly ImagePart[]): void {
    this.#names = new PieceNames(epoch, this.news, (part, offset) => this.#bytesAt(part, offset));
    this.#parts = parts;
    this.news.tell(this.#pieces.all);
  }

  kept(part: number): KeptBytes | undefined {
    const etag = this.#pieces.of(part)[0]?.etag;
    return etag === undefined ? undefined : { etag, read: () => this.#pieces.read(part) };
  }

  async take(part: number, etag: string, offset: number, bytes: Uint8Array): Promise<void> {
    if (!this.#names || this.#finished.has(part) || this.#endOf(part) !== offset) return;
    const drops = this.#drops.get(part);
    const isWanted = () => !this.#isOff && this.#drops.get(part) === drops;
    for (let taken = 0; taken < bytes.length; ) {
      const filling = await this.#fillingAt(part, etag, offset + taken, isWanted);
      if (!filling) return;
      taken += filling.add(bytes.subarray(taken));
      this.#ends.set(part, offset + taken);
      if (filling.isDue()) await this.#seal();
    }
  }

  /** All that is kept of the part goes, and the journal says so. */
  async drop(part: number): Promise<void> {
    this.#drops.set(part, (this.#drops.get(part) ?? 0) + 1);
    if (this.#filling?.part === part) this.#letGo();
    await this.#storing;
    this.#ends.delete(part);
    const areNamesLeft = this.#names?.drop(part) ?? false;
    if ((await this.#pieces.remove(part)) || areNamesLeft) this.news.drop(part);
  }

  /** The journal names the chunks up to this byte of the image: what they are made of is not needed any more. */
  chunksNamed(imageBytes: number): void {
    let end = 0;
    for (const [part, { bytes }] of this.#parts.entries()) {
      end += bytes;
      if (end > imageBytes) return;
      if (!this.#pieces.parts.has(part) || this.#finished.has(part)) continue;
      this.#finished.add(part);
      this.#removing = this.#removing.then(() => this.drop(part)).catch(this.#onRemoveFault);
    }
  }

  /** Gives the room of all pieces to chunks. Says whether that was any. */
  async giveRoom(): Promise<boolean> {
    this.giveUp();
    const parts = [...this.#pieces.parts.keys()];
    for (const part of parts) await this.drop(part).catch(this.#onRemoveFault);
    return parts.length > 0;
  }

  /** Keeps nothing more. */
  giveUp(cause?: unknown): void {
    if (cause !== undefined && !this.#isOff) this.#options.onFault("write", cause);
    this.#isOff = true;
    this.#off.resolve();
    this.#letGo();
  }

  giveUpSlowStore(): void {
    this.giveUp(new StoreError("The store delayed the delivery, so compressed bytes are not kept any more"));
  }

  /** Ends it; settles when nothing is being written. `isLeft`: the next transfer is to go on from it, so all that came is kept. */
  async stop(isLeft: boolean): Promise<void> {
    if (isLeft && !this.#isOff && this.#filling) await this.#seal();
    else this.news.abandon();
    this.giveUp();
    await Promise.all([this.#storing, this.#removing]);
    this.news.abandon();
    this.#account.close();
  }

  removeAll(): Promise<void> {
    return this.#pieces.removeAll();
  }

  #endOf(part: number): number {
    return this.#ends.get(part) ?? endOf(this.#pieces.of(part));
  }

  /** The filling that goes on there; `undefined` if it is not wanted, or no more by the time that there is memory for it. */
  async #fillingAt(
    part: number,
    etag: string,
    offset: number,
    isWanted: () => boolean,
  ): Promise<Filling | undefined> {
    if (!isWanted()) return undefined;
    if (this.#filling?.part === part) return this.#filling;
    this.#letGo(); // the end of another part: it is not much
    if (this.#current?.part !== part) this.#current = { part, startedMs: monotonicMs() };
    const size = this.#bytesAt(part, offset);
    if (size === 0) return undefined;
    // While one piece is on its way to the store, there may be no memory for another.
    while (isWanted() && !this.#account.tryTake(size)) await this.#stored();
    if (!isWanted()) return undefined;
    this.#filling = createFilling({ part, etag, offset }, size, this.#current.startedMs);
    return this.#filling;
  }

  #bytesAt(part: number, offset: number): number {
    return fillingBytes(this.#parts[part]!.wireBytes - offset, this.#options.chunkBytes);
  }

  /** The filling goes to the store, once the piece before it is there. */
  async #seal(): Promise<void> {
    await this.#stored();
    const filling = this.#filling;
    if (!filling) return;
    this.#filling = undefined;
    this.#storing = this.#store(filling).catch((cause: unknown) => this.giveUp(cause));
  }

  /** Settles when no piece is on its way, or is waited for any more. */
  async #stored(): Promise<void> {
    await Promise.race([this.#options.wait(this.#storing), this.#off.promise]);
  }

  async #store(filling: Filling): Promise<void> {
    const { id, store, hash, admit, removed } = this.#options;
    try {
      if (!(await admit(filling.bytes))) return this.giveUp();
      const piece = await this.#names!.claim(filling);
      if (!piece) return removed(filling.bytes);
      const value = await sealWirePiece(hash, id, piece, filling.value);
      this.#pieces.add(piece);
      await store.write(wireKey(id, piece), value);
      this.news.stored(piece);
      detachIfWhole(value);
    } finally {
      this.#account.give(filling.heldBytes);
    }
  }

  #letGo(): void {
    if (this.#filling) this.#account.give(this.#filling.heldBytes);
    this.#filling = undefined;
  }

  readonly #onRemoveFault = (cause: unknown): void => this.#options.onFault("remove", cause);
}
