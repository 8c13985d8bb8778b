/** One upstream transfer of one image, from the first request to the commit. All its readers share it. */
import type { ManagerContext } from "../context.ts";
import { ImageChangedError, StoreError, TruncatedDownloadError } from "../errors.ts";
import { isMadeEachTime } from "../identity.ts";
import { type Cursor, TransferWindow } from "../memory/window.ts";
import { writtenContent } from "../retention/content.ts";
import { discard } from "../retention/discard.ts";
import { Share } from "../sharing/share.ts";
import type { Journal } from "../store/journal.ts";
import { chunkLength, type Manifest } from "../store/manifest.ts";
import { asking } from "../store-fault.ts";
import type { ImageVariant } from "../types.ts";
import { isKnownDisk } from "../upstream/disk-signatures.ts";
import { downloadImage } from "../upstream/download.ts";
import { discard as discardResponse } from "../upstream/file-response.ts";
import type { DownloadResult, DownloadSink, UpstreamFile } from "../upstream/job.ts";
import type { RequestConditions } from "../upstream/request.ts";
import { type ChunkSink, createChunkSink } from "./chunk-sink.ts";
import { Committer } from "./committer.ts";
import { createUpstream, type Upstream } from "./open-upstream.ts";
import { resumeFrom } from "./resume.ts";
import type { RunningTransfer } from "./running-transfer.ts";
import { headOfFile, headOfJournal, journalHeader, type TransferStart } from "./transfer-head.ts";
import type { Outcome, TransferOptions } from "./transfer-options.ts";

/** See {@link RunningTransfer}. Its promises never become unhandled rejections. */
export class Transfer implements RunningTransfer {
  readonly options: TransferOptions;
  readonly window: TransferWindow;
  readonly started: Promise<TransferStart>;
  readonly outcome: Promise<Outcome>;
  readonly written: Map<string, number>;
  readonly #context: ManagerContext;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #upstream: Upstream;
  readonly #committer: Committer;
  readonly #sink: ChunkSink;
  readonly #share: Share;
  #users = 0;
  /** Grows with all that moves, for those who watch the lease. */
  #moves = 0;
  #isCommitted = false;

  constructor(anyContext: ManagerContext, options: TransferOptions) {
    const context = asking(anyContext, "unless-hung"); // whoever began it, gets may wait for it
    this.#context = context;
    this.options = options;
    this.window = new TransferWindow(
      options.chunkBytes ?? context.chunkBytes,
      context.memory,
      options.expected,
    );
    this.#signal = AbortSignal.any([this.#abort.signal, context.closing]);
    this.#upstream = createUpstream(context, options, this.#signal, this.#moved);
    this.#share = this.#createShare();
    this.#committer = new Committer(context, options, this.#share, () => this.#leave(true));
    this.written = this.#committer.written;
    this.#sink = createChunkSink(
      this.window,
      options.isStored ? context.store : undefined,
      context.hash,
      context.storeTimeoutMs,
      (digest, bytes) => this.#committer.admitChunk(digest, bytes),
      (cause) => this.#committer.storeFault("write", cause),
      (start) => this.#lookAt(start),
    );
    const opening = Promise.withResolvers<TransferStart>();
    this.started = opening.promise;
    this.outcome = this.#run(opening.resolve);
    this.outcome.catch(opening.reject);
    this.started.catch(() => undefined);
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
    await this.#leave(false);
    await this.#sink.settled();
    await this.#context.serially(async () => undefined); // a commit that is under way is done first
  }

  async #run(setOpened: (opened: TransferStart) => void): Promise<Outcome> {
    this.#context.running.add(this);
    try {
      const outcome = await this.#obtain(setOpened);
      this.#isCommitted = outcome.manifest !== undefined;
      const leaving = this.#leave(true);
      if (this.#isCommitted) await leaving; // else nobody need wait for what was written to go
      this.window.end();
      return outcome;
    } catch (cause) {
      const failure = explained(cause, this.options.identity.variant);
      this.window.fail(failure);
      await this.#sink.settled();
      await this.#leave(failure instanceof ImageChangedError);
      throw failure;
    } finally {
      this.#abort.abort(); // closes whatever response is still open
      this.#unregister();
      void this.#leave(true).finally(() => this.#leaveRoom());
      this.#context.endedTransfers.count += 1;
    }
  }

  /** From the upstream, or along with another process that is at it already. */
  async #obtain(setOpened: (opened: TransferStart) => void): Promise<Outcome> {
    let first: UpstreamFile | undefined;
    if (this.options.isConditional) {
      const opened = await this.#upstream.openUnlessFresh();
      if ("fresh" in opened) {
        const outcome = await this.#committer.confirm(opened.fresh);
        setOpened({ kind: "cached" });
        return outcome;
      }
      first = opened;
    }
    for (;;) {
      const turn = await this.#share.contend();
      // Before it was our turn, another process may have come to its end.
      const manifest = turn.kind === "own" && turn.lease && (await this.#committer.committedMeanwhile());
      if (manifest) {
        if (first) await discardResponse(first.response);
        return this.#takeOver(manifest, setOpened);
      }
      if (turn.kind === "own") return this.#transfer(first, turn.journals, setOpened);
      if (first) await discardResponse(first.response);
      first = undefined;
      await this.#share.follow(turn, (header) => setOpened(headOfJournal(header)));
    }
  }

  async #transfer(
    first: UpstreamFile | undefined,
    journals: readonly number[],
    setOpened: (opened: TransferStart) => void,
  ): Promise<Outcome> {
    const opened = (await this.#resume(first, journals)) ?? first ?? (await this.#upstream.open({}));
    const body = headOfFile(opened);
    setOpened(body);
    await this.#committer.makeRoom(body);
    const { identity } = this.options;
    this.#share.keepJournal(journalHeader(identity, opened, this.window.chunkBytes, this.#context.now()));
    return this.#finish(await downloadImage(this.#upstream.job, opened, this.#watchedSink()));
  }

  /** The rest of what an earlier transfer left, where its file can be read on. */
  async #resume(
    first: UpstreamFile | undefined,
    journals: readonly number[],
  ): Promise<UpstreamFile | undefined> {
    const journal = journals.length > 0 ? await this.#share.readJournal(journals) : undefined;
    this.#inherit(journal);
    const validators = journal?.header.validators;
    if (!journal || !validators || (first && first.response.validators.etag !== validators.etag))
      return undefined;
    const open = (conditions: RequestConditions) => this.#upstream.open(conditions, [validators.fileType]);
    const { store, hash, memory } = this.#context;
    const opened = await resumeFrom(journal, this.window, {
      store,
      hash,
      memory,
      signal: this.#signal,
      moved: this.#moved,
      open,
    });
    if (!opened) return undefined;
    if (first) await discardResponse(first.response);
    this.#upstream.job.onResumed(opened.response.fromByte ?? 0, undefined);
    return opened;
  }

  /** What an earlier transfer left is ours from now on: its journal goes, whether or not we go on from it. */
  #inherit(journal: Journal | undefined): void {
    for (const digest of journal?.digests ?? [])
      if (digest !== null) this.written.set(digest, journal!.header.chunkBytes);
  }

  /** Whether the journal that is left names all that was written. */
  get #isAllNamed(): boolean {
    const named = new Set(this.window.digests);
    return this.#share.isJournalLeft && [...this.written.keys()].every((digest) => named.has(digest));
  }

  /** Lets others take the turn, once. Closing the manager waits for it. */
  #leave(isDone: boolean): Promise<void> {
    const leaving = this.#share.leave(isDone);
    const { background } = this.#context;
    background.add(leaving);
    void leaving.finally(() => background.delete(leaving));
    return leaving;
  }

  /** What nothing is going to name goes before others take the turn: they may be about to write the same chunks. */
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

  /** What was asked for as a packed file has been looked at before. */
  #lookAt(start: Uint8Array): void {
    const { id, identity } = this.options;
    const isRaw = [undefined, ".img"].includes(identity.variant.fileType);
    if (isRaw && !isKnownDisk(start)) this.#context.emit({ type: "unrecognized", image: id });
  }

  readonly #moved = (): void => {
    this.#moves += 1;
  };

  #watchedSink(): DownloadSink {
    return {
      ...this.#sink,
      write: (piece) => {
        this.#moved();
        return this.#sink.write(piece);
      },
      rewind: async (mark, how) => {
        await this.#sink.rewind(mark, how);
        if (how === "replace") await this.#share.takeBack(mark.chunk);
      },
    };
  }

  #unregister(): void {
    const { transfers } = this.#context;
    if (transfers.get(this.options.id) === this) transfers.delete(this.options.id);
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

  /** Another process has committed the image: who reads along gets the rest from the store. */
  #takeOver(manifest: Manifest, setOpened: (opened: TransferStart) => void): Outcome {
    const { window } = this;
    const isOtherSize = manifest.chunkBytes !== window.chunkBytes && !window.resize(manifest.chunkBytes);
    if (isOtherSize || window.digests.length > manifest.chunks.length) {
      throw new ImageChangedError("Another process has stored different bytes of the same version");
    }
    for (const [index, digest] of manifest.chunks.entries())
      window.adopt(index, digest, chunkLength(manifest, index));
    setOpened({ kind: "cached" });
    return { manifest };
  }

  async #finish({ isProven, opened }: DownloadResult): Promise<Outcome> {
    const { id } = this.options;
    await this.#sink.finish();
    const { size } = this.window;
    if (!isProven) {
      this.#context.emit({ type: "unproven", image: id, size });
      return { obstacle: new TruncatedDownloadError("Nothing proves that the download is complete", size) };
    }
    const { obstacle } = this.#committer;
    return obstacle ? { obstacle } : this.#committer.commit(this.window, opened);
  }
}

/** Explains different bytes if the upstream builds the image for each download. */
function explained(failure: unknown, variant: ImageVariant): unknown {
  if (!(failure instanceof ImageChangedError) || !isMadeEachTime(variant)) return failure;
  return new ImageChangedError(
    "The upstream builds this image for each download (development mode or other settings), so a broken download can't be continued: get the image again",
    { cause: failure },
  );
}
