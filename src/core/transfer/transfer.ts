/** One upstream transfer of one image, from the first request to the commit, shared by all who read along. */
import type { ManagerContext } from "../context.ts";
import {
  ImageChangedError,
  type ImageManagerError,
  isImageManagerError,
  StoreError,
  TruncatedDownloadError,
} from "../errors.ts";
import { judgeFreshness } from "../freshness/judge.ts";
import type { ImageIdentity } from "../identity.ts";
import { makeRoom, makeRoomFor } from "../retention/room.ts";
import {
  type ChunkDigests,
  chunkLength,
  type Manifest,
  readManifest,
  type Validators,
  writeManifest,
} from "../store/manifest.ts";
import { type ChunkSink, createChunkSink } from "./chunk-sink.ts";
import { buildManifest } from "./commit.ts";
import {
  type DownloadJob,
  type DownloadResult,
  downloadImage,
  type Opening,
  openUnlessUnsatisfiable,
} from "./download.ts";
import { journalHeader, type Opened, type OpenedBody, openedByJournal, openedByUpstream } from "./opened.ts";
import type { OpenedFile } from "./read-file.ts";
import { discard, type RequestConditions } from "./request.ts";
import { resumeFrom } from "./resume.ts";
import { createRetries, withRetries } from "./retry.ts";
import { Share } from "./share.ts";
import { type Cursor, TransferWindow } from "./window.ts";

/** What a transfer is to do. */
export interface TransferOptions {
  readonly id: string;
  readonly identity: ImageIdentity;
  /** Keep the image in the store. */
  readonly isStored: boolean;
  /** The copy that the store has. */
  readonly previous?: Manifest | undefined;
  /** End at once where the upstream says that `previous` is still right. */
  readonly isConditional?: boolean | undefined;
  /** Try the first request once only, because `previous` can stand in for it. */
  readonly isImpatient?: boolean | undefined;
  /** What the chunks must turn out to be, as far as it goes. */
  readonly expected?: ChunkDigests | undefined;
  /** Default: the manager's. */
  readonly chunkBytes?: number | undefined;
}

/** How a transfer ended that did not fail. */
export type Outcome =
  | { readonly manifest: Manifest; readonly obstacle?: undefined }
  /** Delivered, but not committed, and why. */
  | { readonly manifest?: undefined; readonly obstacle: ImageManagerError };

/** A transfer under way. Its promises never become unhandled rejections. */
export class Transfer {
  readonly options: TransferOptions;
  readonly window: TransferWindow;
  /** Settles when the upstream has answered. */
  readonly opened: Promise<Opened>;
  /** Settles at the very end, after the commit. Rejects with what went wrong. */
  readonly outcome: Promise<Outcome>;
  readonly #context: ManagerContext;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #sink: ChunkSink;
  readonly #share: Share;
  #users = 0;
  #storedBytes = 0;

  /** Why the image is not going to be committed. */
  #obstacle: ImageManagerError | undefined;

  constructor(context: ManagerContext, options: TransferOptions) {
    this.#context = context;
    this.options = options;
    if (!options.isStored) this.#obstacle = new StoreError("The image was not to be stored");
    this.window = new TransferWindow(
      options.chunkBytes ?? context.chunkBytes,
      context.memory,
      options.expected,
    );
    this.#sink = createChunkSink(
      this.window,
      options.isStored ? context.store : undefined,
      (bytes) => this.#mayStore(bytes),
      (cause) => this.#storeFault("write", cause),
    );
    this.#signal = AbortSignal.any([this.#abort.signal, context.closing]);
    this.#share = this.#createShare();
    const opening = Promise.withResolvers<Opened>();
    this.opened = opening.promise;
    this.outcome = this.#run(opening.resolve);
    this.outcome.catch(opening.reject);
    this.opened.catch(() => undefined);
  }

  /** Keeps the transfer alive until the returned function is called; when the last one leaves, it is cancelled. */
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

  /** A cursor that also holds the transfer. */
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
    this.#unregister(); // who comes now must not join a transfer that is ending
    this.#abort.abort(reason);
    this.window.fail(reason);
  }

  /** Gives up the commit but not the delivery; settles when nothing is being written any more. */
  async stopStoring(): Promise<void> {
    this.#obstacle ??= new StoreError("The cache was cleaned while the image was on its way");
    this.#sink.stopStoring();
    await this.#share.leave(false);
    await this.#sink.settled();
    await this.#context.serially(async () => undefined); // a commit that is under way is done first
  }

  async #run(setOpened: (opened: Opened) => void): Promise<Outcome> {
    this.#context.running.add(this);
    try {
      const outcome = await this.#obtain(setOpened);
      await this.#share.leave(true);
      this.window.end();
      return outcome;
    } catch (failure) {
      this.window.fail(failure);
      await this.#sink.settled();
      await this.#share.leave(failure instanceof ImageChangedError);
      throw failure;
    } finally {
      this.#unregister();
      this.#context.running.delete(this);
      this.#context.endedTransfers.count += 1;
    }
  }

  /** From the upstream, or along with another process that is at it already. */
  async #obtain(setOpened: (opened: Opened) => void): Promise<Outcome> {
    let first = this.options.isConditional ? await this.#openUnlessFresh() : undefined;
    if (this.options.isConditional && !first) {
      const outcome = await this.#confirm();
      setOpened({ kind: "cached" });
      return outcome;
    }
    for (;;) {
      const turn = await this.#share.contend();
      // Before it was our turn, another process may have come to its end.
      const manifest = turn.kind === "own" && turn.lease && (await this.#committedMeanwhile());
      if (manifest) {
        if (first) await discard(first.response);
        return this.#takeOver(manifest, setOpened);
      }
      if (turn.kind === "own") return this.#transfer(first, turn.journals, setOpened);
      if (first) await discard(first.response);
      first = undefined;
      await this.#share.follow(turn, (header) => setOpened(openedByJournal(header)));
    }
  }

  async #transfer(
    first: OpenedFile | undefined,
    journals: readonly number[],
    setOpened: (opened: Opened) => void,
  ): Promise<Outcome> {
    const opened = (await this.#resume(first, journals)) ?? first ?? (await this.#open({}));
    const body = openedByUpstream(opened);
    setOpened(body);
    await this.#makeRoom(body);
    const { identity } = this.options;
    this.#share.keepJournal(journalHeader(identity, opened, this.window.chunkBytes, this.#context.now()));
    return this.#finish(await downloadImage(this.#job(), opened, this.#sink));
  }

  /** The rest of what an earlier transfer left, where its file can be read on. */
  async #resume(first: OpenedFile | undefined, journals: readonly number[]): Promise<OpenedFile | undefined> {
    const journal = journals.length > 0 ? await this.#share.readJournal(journals) : undefined;
    const validators = journal?.header.validators;
    if (!journal || !validators || (first && first.response.validators.etag !== validators.etag))
      return undefined;
    const open = (conditions: RequestConditions) => this.#open(conditions, [validators.fileType]);
    const { store, memory } = this.#context;
    const opened = await resumeFrom(journal, this.window, { store, memory, signal: this.#signal, open });
    if (!opened) return undefined;
    if (first) await discard(first.response);
    this.#job().onResumed(opened.response.fromByte ?? 0, undefined);
    return opened;
  }

  #unregister(): void {
    const { transfers } = this.#context;
    if (transfers.get(this.options.id) === this) transfers.delete(this.options.id);
  }

  #createShare(): Share {
    const { store, lease } = this.#context;
    return new Share(
      {
        store,
        id: this.options.id,
        times: lease,
        signal: this.#signal,
        window: this.window,
        now: this.#context.now,
        onFault: (operation, cause) => this.#context.emit({ type: "store-fault", operation, cause }),
      },
      !this.options.isStored || !store.canLease,
    );
  }

  #job(fileTypes = this.#fileTypes()): DownloadJob {
    const { identity, id } = this.options;
    const { source, fetch, inflater, retry, emit } = this.#context;
    return {
      image: { deviceType: identity.deviceType, version: identity.version, variant: identity.variant },
      fileTypes,
      request: (image) => source.request(image),
      fetch,
      inflater,
      retry,
      signal: this.#signal,
      onResumed: (fromByte, cause) => emit({ type: "resumed", image: id, fromByte, cause }),
    };
  }

  #fileTypes(): readonly Validators["fileType"][] {
    const { identity, previous } = this.options;
    if (identity.variant.fileType) return [identity.variant.fileType];
    return previous?.validators.fileType === ".img" ? [".img", ".gz"] : [".gz", ".img"];
  }

  async #open(conditions: RequestConditions, fileTypes = this.#fileTypes()): Promise<OpenedFile> {
    return (await this.#ask(conditions, fileTypes)) as OpenedFile; // only `unless` is answered in another way
  }

  #ask(conditions: RequestConditions, fileTypes: readonly Validators["fileType"][]): Promise<Opening> {
    const job = this.#job(fileTypes);
    const retries = createRetries(this.options.isImpatient ? { ...job.retry, attempts: 1 } : job.retry);
    return withRetries(retries, job.signal, () => openUnlessUnsatisfiable(job, conditions));
  }

  /** The upstream's newer file; `undefined` where the stored copy is still right. */
  async #openUnlessFresh(): Promise<OpenedFile | undefined> {
    const stored = this.options.previous?.validators;
    const opening = await this.#ask({ unless: stored }, this.#fileTypes());
    if (!("request" in opening)) return undefined;
    const { validators } = opening.response;
    const isFresh =
      stored?.fileType === validators.fileType && judgeFreshness(stored, validators) === "fresh";
    if (!isFresh) return opening;
    await discard(opening.response);
    return undefined;
  }

  /** The stored copy is still right: notes when that was seen, unless another one has taken its place. */
  async #confirm(): Promise<Outcome> {
    const { id, previous } = this.options;
    const { store, emit, now, serially } = this.#context;
    const manifest: Manifest = { ...(previous as Manifest), validatedAt: now() };
    emit({ type: "revalidated", image: id });
    try {
      await serially(async () => {
        const current = await readManifest(store, id);
        if (current?.digest !== manifest.digest || this.#obstacle) return;
        await writeManifest(store, id, { ...current, validatedAt: manifest.validatedAt });
      });
    } catch (cause) {
      this.#storeFault("write", cause);
    }
    return { manifest };
  }

  /** A manifest that was not there when this transfer was decided on. */
  async #committedMeanwhile(): Promise<Manifest | undefined> {
    const { id, previous } = this.options;
    try {
      const manifest = await readManifest(this.#context.store, id);
      const isNew = manifest?.createdAt !== previous?.createdAt || manifest?.digest !== previous?.digest;
      return isNew ? manifest : undefined;
    } catch (cause) {
      this.#context.emit({ type: "store-fault", operation: "read", cause });
      return undefined;
    }
  }

  /** Another process has committed the image: who reads along gets the rest from the store. */
  #takeOver(manifest: Manifest, setOpened: (opened: Opened) => void): Outcome {
    const { window } = this;
    const isOtherSize = manifest.chunkBytes !== window.chunkBytes && !window.resize(manifest.chunkBytes);
    if (isOtherSize || window.digests.length > manifest.chunks.length) {
      throw new ImageChangedError("Another process has committed other bytes under the same version");
    }
    for (const [index, digest] of manifest.chunks.entries())
      window.adopt(index, digest, chunkLength(manifest, index));
    setOpened({ kind: "cached" });
    return { manifest };
  }

  async #finish({ isProven, opened }: DownloadResult): Promise<Outcome> {
    const { id, expected } = this.options;
    await this.#sink.finish();
    const { size, digests } = this.window;
    if (expected && expected.length > digests.length) {
      throw new ImageChangedError("The upstream's image is shorter than the part that was delivered");
    }
    if (!isProven) {
      this.#context.emit({ type: "unproven", image: id, size });
      this.#obstacle ??= new TruncatedDownloadError("Nothing proves that the download is complete", size);
    }
    return this.#obstacle ? { obstacle: this.#obstacle } : this.#commit(opened);
  }

  /** Done under a lock, so that no two commits take the same room, and no pin is lost. */
  #commit(opened: OpenedFile): Promise<Outcome> {
    const { id, identity } = this.options;
    const { now, store, emit, serially } = this.#context;
    return serially(async () => {
      try {
        const pinned = (await readManifest(store, id))?.pinned ?? false;
        const manifest = { ...(await buildManifest(identity, this.window, opened, now())), pinned };
        if (!(await makeRoomFor(this.#context, id, manifest))) return { obstacle: this.#tooLarge() };
        if (this.#obstacle) return { obstacle: this.#obstacle };
        await writeManifest(store, id, manifest);
        emit({ type: "committed", image: id, size: manifest.size });
        return { manifest };
      } catch (cause) {
        return { obstacle: this.#storeFault("commit", cause) };
      }
    });
  }

  /** Evicts what has to go for it, as far as the size is known before. The commit knows it exactly. */
  async #makeRoom({ size, estimate }: OpenedBody): Promise<void> {
    const { maxBytes, serially } = this.#context;
    if (maxBytes === undefined || this.#obstacle) return;
    const bytes = size ?? (await estimate()) ?? 0;
    if (bytes > maxBytes) return; // holes and shared chunks may still let it fit
    try {
      await serially(() => makeRoom(this.#context, bytes));
    } catch (cause) {
      this.#storeFault("evict", cause);
    }
  }

  /** An image whose chunks alone exceed the cap is delivered, not stored. */
  #mayStore(bytes: number): boolean {
    this.#storedBytes += bytes;
    const { maxBytes = Number.POSITIVE_INFINITY } = this.#context;
    if (this.#storedBytes <= maxBytes) return true;
    this.#tooLarge();
    void this.#share.leave(true);
    return false;
  }

  #tooLarge(): ImageManagerError {
    this.#obstacle ??= new StoreError(`The image does not fit into "maxBytes" (${this.#context.maxBytes})`);
    return this.#obstacle;
  }

  /** Ends the caching, not the delivery; and others need not wait for a commit that is not coming. */
  #storeFault(operation: string, cause: unknown): ImageManagerError {
    this.#context.emit({ type: "store-fault", operation, cause });
    this.#obstacle ??= isImageManagerError(cause) ? cause : new StoreError("The store failed", { cause });
    void this.#share.leave(false);
    return this.#obstacle;
  }
}
