/** Shares a transfer through the store: its turn, its lease and its journal. If the store fails, only the sharing ends. */
import type { ChunkDigests } from "../digest.ts";
import { isImageManagerError } from "../errors.ts";
import type { TransferWindow } from "../memory/window.ts";
import type { ByteStore } from "../store/byte-store.ts";
import {
  type Journal,
  type JournalHeader,
  readJournal,
  removeJournals,
  removeSegments,
} from "../store/journal.ts";
import type { StoredChunks } from "../store/stored-chunk.ts";
import type { ImagePart } from "../types.ts";
import { followJournal } from "./follow-journal.ts";
import { type KeptJournal, keepJournal } from "./keep-journal.ts";
import {
  alone,
  type Contest,
  createContest,
  type Lease,
  type LeaseTimes,
  type SeenLease,
  type Turn,
  type Work,
} from "./lease.ts";
import type { WirePieces } from "./wire-pieces.ts";

/** What sharing needs. */
export interface ShareOptions {
  readonly store: ByteStore;
  readonly id: string;
  readonly times: LeaseTimes;
  readonly signal: AbortSignal;
  readonly window: TransferWindow;
  /** Compressed bytes that are kept with the journal. */
  readonly pieces: WirePieces;
  /** What is known of stored chunks. */
  storedOf(digests: ChunkDigests): StoredChunks | undefined;
  readonly seenLeases: Map<string, SeenLease>;
  readonly work: Work;
  /** Called when the journal is done with, and before others may take the turn: they must not meet what it does. */
  onLeaving(): Promise<void>;
  now(): number;
  onFault(operation: string, cause: unknown): void;
}

export class Share {
  readonly #options: ShareOptions;
  readonly #contest: Contest;
  #lease: Lease | undefined;
  /** Epochs whose journals may be there still. */
  #previous: readonly number[] = [];
  #journal: KeptJournal | undefined;
  #isOff: boolean;
  #leaving: Promise<void> | undefined;
  /** Of the journal that was followed last. */
  #followed: JournalHeader | undefined;
  /** Once left: whether what came so far can be taken up by the next transfer. */
  isJournalLeft = false;

  /** `isOff`: a transfer that is not stored, or a store that can't hold leases. */
  constructor(options: ShareOptions, isOff: boolean) {
    const { store, id, times, signal, now, seenLeases, work } = options;
    this.#options = options;
    this.#isOff = isOff;
    const onFault = (cause: unknown) => options.onFault("lease", cause);
    this.#contest = createContest(store, id, times, signal, now, onFault, seenLeases, work);
  }

  /** Takes the turn, or says which process to follow. */
  async contend(): Promise<Turn> {
    if (this.#isOff) return alone;
    const turn = (await this.#tolerant("lease", () => this.#contest.contend())) ?? alone;
    if (turn.kind === "own") {
      this.#lease = turn.lease;
      this.#previous = turn.journals;
    }
    return turn;
  }

  /** Settles when the followed transfer has ended, or is taken to have. */
  async follow(
    turn: Extract<Turn, { kind: "follow" }>,
    onHeader: (header: JournalHeader) => void,
  ): Promise<void> {
    const { store, id, times, window, signal } = this.#options;
    const [contest, previous] = [this.#contest, this.#followed];
    const noteHeader = (header: JournalHeader) => {
      this.#followed = header;
      onHeader(header);
    };
    await this.#tolerant("follow", () =>
      followJournal({ store, id, turn, contest, times, window, signal, previous, onHeader: noteHeader }),
    );
  }

  /** What a transfer that did not come to its end left. */
  async readJournal(epochs: readonly number[]): Promise<Journal | undefined> {
    return this.#tolerant("read", () => readJournal(this.#options.store, this.#options.id, epochs));
  }

  /** Begins to tell others what is stored. */
  keepJournal(header: JournalHeader, parts: readonly ImagePart[] = []): void {
    const { store, id, window, pieces, storedOf, onFault } = this.#options;
    if (!this.#lease || this.#leaving) return;
    const onJournalFault = (cause: unknown) => onFault("journal", cause);
    pieces.begin(this.#lease.epoch, parts);
    this.#journal = keepJournal(
      store,
      id,
      this.#lease,
      this.#previous,
      window,
      header,
      pieces,
      storedOf,
      onJournalFault,
    );
  }

  /** Tells those who read along that chunks from an index on were wrong. */
  async takeBack(index: number): Promise<void> {
    await this.#journal?.takeBack(index);
  }

  /** Whether there is a lease that nobody has taken or deleted. Rejects when the store fails. */
  async isProtected(): Promise<boolean> {
    return (await this.#lease?.stands()) ?? false;
  }

  /** Lets others take the turn. The journal stays for them, unless the image is done with (committed, or changed). */
  leave(isDone: boolean): Promise<void> {
    this.#leaving ??= this.#leave(isDone);
    return this.#leaving;
  }

  async #leave(isDone: boolean): Promise<void> {
    this.#isOff = true;
    await this.#options.pieces.stop(!isDone && this.#journal !== undefined);
    await this.#journal?.stop(!isDone);
    const lease = this.#lease;
    const hasStored = this.#options.window.storedCount > 0;
    const isToGo = isDone || !hasStored;
    if (lease && isToGo) await this.#tolerant("remove", () => this.#removeJournals(lease.epoch, isDone));
    const isPreviousLeft = !this.#journal && this.#previous.length > 0;
    this.isJournalLeft = lease !== undefined && !isDone && (hasStored || isPreviousLeft);
    await this.#options.onLeaving();
    await lease?.release(!this.isJournalLeft);
  }

  /** Where nothing came of this transfer, an earlier one's journal may still be of use. */
  async #removeJournals(epoch: number, isDone: boolean): Promise<void> {
    const { store, id, pieces } = this.#options;
    if (this.#journal) await pieces.removeAll();
    await removeSegments(store, id, epoch, this.#journal?.segments ?? 0);
    if (isDone && !this.#journal) await removeJournals(store, id, this.#previous);
  }

  /** A fault of the store ends the sharing; any other failure is the transfer's. */
  async #tolerant<T>(operation: string, call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (cause) {
      if (!isImageManagerError(cause) || cause.code !== "STORE") throw cause;
      this.#isOff = true;
      this.#options.onFault(operation, cause);
      return undefined;
    }
  }
}
