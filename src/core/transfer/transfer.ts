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
import {
  type ChunkDigests,
  imageDigest,
  type Manifest,
  readManifest,
  type Validators,
  writeManifest,
} from "../store/manifest.ts";
import { type ChunkSink, createChunkSink } from "./chunk-sink.ts";
import { type DownloadJob, type DownloadResult, downloadImage, openFile } from "./download.ts";
import type { OpenedFile } from "./read-file.ts";
import { discard } from "./request.ts";
import { createRetries, withRetries } from "./retry.ts";
import { type Cursor, TransferWindow } from "./window.ts";

/** What a transfer is to do. */
export interface TransferOptions {
  readonly id: string;
  readonly identity: ImageIdentity;
  /** Keep the image in the store. */
  readonly isStored: boolean;
  /** A copy to revalidate: the transfer ends at once where the upstream says that it is still right. */
  readonly unless?: Manifest | undefined;
  /** What the chunks must turn out to be, as far as it goes. */
  readonly expected?: ChunkDigests | undefined;
  /** Default: the manager's. */
  readonly chunkBytes?: number | undefined;
  /** The file that the stored copy came as; asked for first. */
  readonly storedFileType?: Validators["fileType"] | undefined;
  /** Try the first request once only, because something can stand in for it. */
  readonly isImpatient?: boolean | undefined;
}

/** How a transfer ended that did not fail. */
export type Outcome =
  | { readonly manifest: Manifest; readonly obstacle?: undefined }
  /** Delivered, but not committed, and why. */
  | { readonly manifest?: undefined; readonly obstacle: ImageManagerError };

/** How a transfer began. */
export type Opened =
  | { readonly kind: "not-modified" }
  | {
      readonly kind: "body";
      readonly mime: string;
      /** Bytes of the image, where certain before they have come. */
      readonly size: number | undefined;
      readonly validators: Validators;
      estimate(): Promise<number | undefined>;
    };

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
  readonly #sink: ChunkSink;
  #users = 0;
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
    this.#sink = createChunkSink(this.window, options.isStored ? context.store : undefined, (cause) =>
      this.#storeFault("write", cause),
    );
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

  /** Gives up the commit but not the delivery; settles when no write is under way. */
  async stopStoring(): Promise<void> {
    this.#obstacle ??= new StoreError("The cache was cleaned while the image was on its way");
    this.#sink.stopStoring();
    await this.#sink.settled();
  }

  async #run(setOpened: (opened: Opened) => void): Promise<Outcome> {
    this.#context.running.add(this);
    try {
      const signal = AbortSignal.any([this.#abort.signal, this.#context.closing]);
      const job = this.#job(signal);
      const first = await this.#open(job);
      if (!first) {
        const outcome = await this.#confirm();
        setOpened({ kind: "not-modified" });
        return outcome;
      }
      setOpened(describe(first));
      return await this.#finish(await downloadImage(job, first, this.#sink));
    } catch (failure) {
      this.window.fail(failure);
      await this.#sink.settled();
      throw failure;
    } finally {
      this.window.end();
      this.#unregister();
      this.#context.running.delete(this);
      this.#context.endedTransfers.count += 1;
    }
  }

  #unregister(): void {
    const { transfers } = this.#context;
    if (transfers.get(this.options.id) === this) transfers.delete(this.options.id);
  }

  #job(signal: AbortSignal): DownloadJob {
    const { identity, id, storedFileType } = this.options;
    const { source, fetch, inflater, retry, emit } = this.#context;
    return {
      image: { deviceType: identity.deviceType, version: identity.version, variant: identity.variant },
      fileTypes: fileTypesToAsk(identity.variant.fileType, storedFileType),
      request: (image) => source.request(image),
      fetch,
      inflater,
      retry,
      signal,
      onResumed: (fromByte, cause) => emit({ type: "resumed", image: id, fromByte, cause }),
    };
  }

  /** The opened file; `undefined` where the stored copy is still right. */
  async #open(job: DownloadJob): Promise<OpenedFile | undefined> {
    const { unless, isImpatient } = this.options;
    const retries = createRetries(isImpatient ? { ...job.retry, attempts: 1 } : job.retry);
    const opening = await withRetries(retries, job.signal, () =>
      openFile(job, { unless: unless?.validators }),
    );
    if (!("request" in opening)) return undefined;
    if (!unless || !isStillFresh(unless.validators, opening.response.validators)) return opening;
    await discard(opening.response);
    return undefined;
  }

  /** The stored copy is still right: notes when that was seen, unless another one has taken its place. */
  async #confirm(): Promise<Outcome> {
    const { id, unless } = this.options;
    const { store, emit, now } = this.#context;
    const manifest: Manifest = { ...(unless as Manifest), validatedAt: now() };
    emit({ type: "revalidated", image: id });
    try {
      const current = await readManifest(store, id);
      if (current?.digest === manifest.digest && !this.#obstacle) {
        await writeManifest(store, id, { ...current, validatedAt: manifest.validatedAt });
      }
    } catch (cause) {
      this.#storeFault("write", cause);
    }
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

  async #commit(opened: OpenedFile): Promise<Outcome> {
    const { id, identity } = this.options;
    const { now, store, emit } = this.#context;
    const content = {
      size: this.window.size,
      chunkBytes: this.window.chunkBytes,
      chunks: [...this.window.digests],
    };
    const manifest: Manifest = {
      identity,
      mime: mimeOf(opened),
      ...content,
      digest: await imageDigest(content),
      validators: opened.response.validators,
      createdAt: now(),
      validatedAt: now(),
      pinned: false,
    };
    try {
      await writeManifest(store, id, manifest);
    } catch (cause) {
      return { obstacle: this.#storeFault("commit", cause) };
    }
    emit({ type: "committed", image: id, size: manifest.size });
    return { manifest };
  }

  #storeFault(operation: string, cause: unknown): ImageManagerError {
    this.#context.emit({ type: "store-fault", operation, cause });
    this.#obstacle ??= isImageManagerError(cause) ? cause : new StoreError("The store failed", { cause });
    return this.#obstacle;
  }
}

function describe(opened: OpenedFile): Opened {
  const { request, response } = opened;
  const rawBytes = request.gzip ? undefined : response.fileBytes;
  return {
    kind: "body",
    mime: mimeOf(opened),
    size: request.exactBytes ?? rawBytes,
    validators: response.validators,
    async estimate() {
      const { estimatedBytes } = request;
      return typeof estimatedBytes === "function" ? estimatedBytes().catch(() => undefined) : estimatedBytes;
    },
  };
}

/** What the image is once it is inflated; only a file that is taken as it is keeps the upstream's word for it. */
function mimeOf({ request, response }: OpenedFile): string {
  return (request.gzip ? undefined : response.mime) ?? "application/octet-stream";
}

function fileTypesToAsk(
  wanted: Validators["fileType"] | undefined,
  stored: Validators["fileType"] | undefined,
): Validators["fileType"][] {
  if (wanted) return [wanted];
  return stored === ".img" ? [".img", ".gz"] : [".gz", ".img"];
}

function isStillFresh(stored: Validators, upstream: Validators): boolean {
  return stored.fileType === upstream.fileType && judgeFreshness(stored, upstream) === "fresh";
}
