/** A transfer's part in sharing through the store: its turn, its lease and its journal. A store that fails ends the sharing only. */
import { isImageManagerError } from "../errors.ts";
import type { ByteStore } from "../store/byte-store.ts";
import { type Journal, type JournalHeader, readJournal, removeJournals } from "../store/journal.ts";
import { followJournal } from "./follow-journal.ts";
import { keepJournal } from "./keep-journal.ts";
import {
  alone,
  type Contest,
  createContest,
  type Lease,
  type LeaseTimes,
  type SeenLease,
  type Turn,
} from "./lease.ts";
import type { TransferWindow } from "./window.ts";

/** What sharing needs. */
export interface ShareOptions {
  readonly store: ByteStore;
  readonly id: string;
  readonly times: LeaseTimes;
  readonly signal: AbortSignal;
  readonly window: TransferWindow;
  readonly seenLeases: Map<string, SeenLease>;
  now(): number;
  onFault(operation: string, cause: unknown): void;
}

export class Share {
  readonly #options: ShareOptions;
  readonly #contest: Contest;
  #lease: Lease | undefined;
  #journal: { stop(): Promise<void> } | undefined;
  #isOff: boolean;
  #leaving: Promise<void> | undefined;

  /** `isOff`: a transfer that is not stored, or a store that can't hold leases. */
  constructor(options: ShareOptions, isOff: boolean) {
    const { store, id, times, signal, now, seenLeases } = options;
    this.#options = options;
    this.#isOff = isOff;
    const onFault = (cause: unknown) => options.onFault("lease", cause);
    this.#contest = createContest(store, id, times, signal, now, onFault, seenLeases);
  }

  /** Takes the turn, or says whom to follow. */
  async contend(): Promise<Turn> {
    if (this.#isOff) return alone;
    const turn = (await this.#tolerant("lease", () => this.#contest.contend())) ?? alone;
    if (turn.kind === "own") this.#lease = turn.lease;
    return turn;
  }

  /** Settles when the followed transfer has ended, or is taken to have. */
  async follow(
    turn: Extract<Turn, { kind: "follow" }>,
    onHeader: (header: JournalHeader) => void,
  ): Promise<void> {
    const { store, id, times, window, signal } = this.#options;
    const contest = this.#contest;
    await this.#tolerant("follow", () =>
      followJournal({ store, id, turn, contest, times, window, signal, onHeader }),
    );
  }

  /** What a transfer that did not come to its end left. */
  async readJournal(epochs: readonly number[]): Promise<Journal | undefined> {
    return this.#tolerant("read", () => readJournal(this.#options.store, this.#options.id, epochs));
  }

  /** Begins to tell others what is stored. */
  keepJournal(header: JournalHeader): void {
    const { store, id, window, onFault } = this.#options;
    if (!this.#lease || this.#leaving) return;
    this.#journal = keepJournal(store, id, this.#lease, window, header, (cause) => onFault("journal", cause));
  }

  /** Whether nobody has taken or deleted the lease, if there ever was one. Rejects when the store fails. */
  async stands(): Promise<boolean> {
    return (await this.#lease?.stands()) ?? true;
  }

  /** Lets others take the turn. The journal stays for them, unless the image is done with (committed, or changed). */
  leave(isDone: boolean): Promise<void> {
    this.#leaving ??= this.#leave(isDone);
    return this.#leaving;
  }

  async #leave(isDone: boolean): Promise<void> {
    this.#isOff = true;
    await this.#journal?.stop();
    const { store, id, window } = this.#options;
    const lease = this.#lease;
    const isOfUse = !isDone && window.storedCount > 0;
    if (lease && !isOfUse) await this.#tolerant("remove", () => removeJournals(store, id, lease.epoch));
    await lease?.release();
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
