/** The life of one upstream transfer of one image: who holds it, and what happens when it ends. All its readers share it. */
import { inBackground, type ManagerContext } from "../context.ts";
import { ImageChangedError, StoreError } from "../errors.ts";
import type { Cursor } from "../memory/cursor.ts";
import { TransferWindow } from "../memory/window.ts";
import { writtenContent } from "../retention/content.ts";
import { discard } from "../retention/discard.ts";
import { Share } from "../sharing/share.ts";
import type { WirePieces } from "../sharing/wire-pieces.ts";
import { type StoredChunk, storedChunksOf } from "../store/stored-chunk.ts";
import { asking } from "../store-fault.ts";
import { isKnownDisk } from "../upstream/disk-signatures.ts";
import { type ChunkSink, createChunkSink } from "./chunk-sink.ts";
import { createChunkWriter } from "./chunk-writer.ts";
import { Committer } from "./committer.ts";
import { explained } from "./explained.ts";
import { createWirePieces } from "./keep-wire.ts";
import { obtainImage, type TransferWork } from "./obtain-image.ts";
import { createUpstream } from "./open-upstream.ts";
import type { RunningTransfer } from "./running-transfer.ts";
import { createTally, type Tally } from "./tally.ts";
import type { TransferStart } from "./transfer-head.ts";
import type { Outcome, TransferOptions } from "./transfer-options.ts";

/** See {@link RunningTransfer}. Its promises never become unhandled rejections. */
export class Transfer implements RunningTransfer {
  readonly options: TransferOptions;
  readonly window: TransferWindow;
  readonly started: Promise<TransferStart>;
  readonly outcome: Promise<Outcome>;
  readonly written: Map<string, StoredChunk>;
  readonly #context: ManagerContext;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #committer: Committer;
  readonly #sink: ChunkSink;
  readonly #share: Share;
  readonly #pieces: WirePieces;
  readonly #tally: Tally;
  readonly #work: TransferWork;
  #users = 0;
  /** Grows with all that moves, for those who watch the lease. */
  #moves = 0;
  #isCommitted = false;

  constructor(anyContext: ManagerContext, options: TransferOptions) {
    const context = asking(anyContext, "unless-hung"); // whatever began it, gets may wait for it
    this.#context = context;
    this.options = options;
    this.window = new TransferWindow(
      options.chunkBytes ?? context.chunkBytes,
      context.memory,
      options.expected,
    );
    this.#signal = AbortSignal.any([this.#abort.signal, context.closing]);
    this.#pieces = createWirePieces(context, options, this.window);
    this.#share = this.#createShare();
    this.#committer = new Committer(context, options, this.#share, this.#pieces, () => this.#leave(true));
    this.written = this.#committer.written;
    this.#sink = createChunkSink(
      this.window,
      options.isStored
        ? createChunkWriter(context, (...chunk) => this.#committer.admitChunk(...chunk))
        : undefined,
      context.hash,
      context.storeTimeoutMs,
      (cause) => this.#committer.storeFault("write", cause),
      (index, chunk) => this.#lookAt(index, chunk),
    );
    this.#tally = createTally(context.now);
    this.#work = this.#createWork();
    const opening = Promise.withResolvers<TransferStart>();
    this.started = opening.promise;
    this.outcome = this.#run(opening.resolve);
    this.outcome.catch(opening.reject);
    this.started.catch(() => undefined);
  }

  /** See {@link RunningTransfer}. */
  get pieces(): ReadonlyMap<string, number> {
    return this.#pieces.written;
  }

  hold(): () => void {
    this.#users += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#users -= 1;
      if (this.#users === 0) this.cancel(new DOMException("Nobody reads the image any more", "AbortError"));
    };
  }

  read(position: number): Cursor {
    const release = this.hold();
    const cursor = this.window.open(position);
    return {
      next: () => cursor.next(),
      look: (index) => cursor.look(index),
      close: () => {
        cursor.close();
        release();
      },
    };
  }

  /** Ends it now; readers get the reason. */
  cancel(reason: unknown): void {
    this.#unregister(); // a new get must not join a transfer that is ending
    this.#abort.abort(reason);
    this.window.fail(reason);
  }

  async stopStoring(): Promise<void> {
    this.#committer.preventCommit(new StoreError("The cache was cleaned during the download"));
    this.#sink.stopStoring();
    this.#pieces.giveUp();
    await this.#leave(false);
    await this.#sink.settled();
    await this.#context.serially(async () => undefined); // a commit that is under way is done first
  }

  async #run(setStarted: (start: TransferStart) => void): Promise<Outcome> {
    this.#context.running.add(this);
    let isBegun = false;
    const begin = (start: TransferStart) => {
      isBegun = true;
      setStarted(start);
    };
    try {
      const outcome = await obtainImage(this.#work, begin);
      this.#isCommitted = outcome.manifest !== undefined;
      const leaving = this.#leave(true);
      if (this.#isCommitted) await leaving; // otherwise nobody waits until the written chunks are deleted
      this.window.end();
      return outcome;
    } catch (cause) {
      const failure = explained(cause, this.options.identity.variant);
      this.#tellEnd(failure, isBegun);
      this.window.fail(failure);
      await this.#sink.settled();
      await this.#leave(failure instanceof ImageChangedError);
      throw failure;
    } finally {
      this.#abort.abort(); // closes a response that is still open
      this.#unregister();
      void this.#leave(true).finally(() => this.#leaveRoom());
      this.#context.endedTransfers.count += 1;
    }
  }

  /** A get that has a copy to fall back on tells itself what it makes of a failure. */
  #tellEnd(cause: unknown, isBegun: boolean): void {
    const { id: image, isImpatient } = this.options;
    const cost = this.#tally.cost();
    if (this.#signal.aborted) this.#context.emit({ type: "abandoned", image, ...cost });
    else if (isBegun || !isImpatient) this.#context.emit({ type: "failed", image, cause, ...cost });
  }

  /** Whether the journal that is left names all that was written. */
  get #isAllNamed(): boolean {
    const named = new Set(this.window.digests);
    return this.#share.isJournalLeft && [...this.written.keys()].every((digest) => named.has(digest));
  }

  /** Lets others take the turn, once. Closing the manager waits for it. */
  #leave(isDone: boolean): Promise<void> {
    return inBackground(this.#context, this.#share.leave(isDone));
  }

  /** Chunks that nothing is going to name are deleted before others take the turn: they may be about to write the same chunks. */
  async #discard(): Promise<void> {
    if (this.#isCommitted || this.#isAllNamed) return;
    await this.#sink.settled();
    this.window.forgetStore();
    await discard(this.#context, this);
  }

  #leaveRoom(): void {
    const { running, maxBytes, room } = this.#context;
    running.delete(this);
    if (maxBytes !== undefined && this.written.size > 0) room.justWritten.add(writtenContent(this));
  }

  async #lookAt(index: number, chunk: Uint8Array): Promise<void> {
    if (index === 0) this.#assess(chunk);
    await this.#committer.fileSha256?.add(index, chunk);
  }

  /** A file that was requested as packed has been looked at before. */
  #assess(start: Uint8Array): void {
    const { id, identity } = this.options;
    const isRaw = [undefined, ".img"].includes(identity.variant.fileType);
    if (isRaw && !isKnownDisk(start)) this.#context.emit({ type: "unrecognized", image: id });
  }

  readonly #moved = (): void => {
    this.#moves += 1;
  };

  #unregister(): void {
    const { transfers } = this.#context;
    if (transfers.get(this.options.id) === this) transfers.delete(this.options.id);
  }

  #createWork(): TransferWork {
    const { options, window } = this;
    const [context, signal, moved] = [this.#context, this.#signal, this.#moved];
    const [committer, sink, share, pieces] = [this.#committer, this.#sink, this.#share, this.#pieces];
    const tally = this.#tally;
    const upstream = createUpstream(context, options, pieces, signal, moved, tally);
    return { context, options, window, upstream, committer, sink, share, pieces, tally, signal, moved };
  }

  #createShare(): Share {
    const { store, lease, seenLeases, retry } = this.#context;
    return new Share(
      {
        store,
        id: this.options.id,
        times: lease,
        signal: this.#signal,
        window: this.window,
        pieces: this.#pieces,
        storedOf: (digests) => storedChunksOf(digests, this.written),
        seenLeases,
        onLeaving: () => this.#discard(),
        // Each wait for the upstream, and each pause before another try, ends by then; and then something moves.
        work: { quietMs: retry.idleTimeoutMs + retry.maxDelayMs, progress: () => this.#moves },
        now: this.#context.now,
        onFault: (operation, cause) => this.#context.emit({ type: "store-fault", operation, cause }),
      },
      !this.options.isStored || !store.canLease,
    );
  }
}
