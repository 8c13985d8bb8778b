/** Stores the image of a transfer: makes room for it, commits it, and remembers why it can't be committed. */
import { inBackground, type ManagerContext } from "../context.ts";
import { type ImageManagerError, isImageManagerError, StoreError } from "../errors.ts";
import type { Validators } from "../freshness/validators.ts";
import type { TransferWindow } from "../memory/window.ts";
import { admit, makeRoom, makeRoomFor, type Victims } from "../retention/room.ts";
import { addUpSometime, noteImage } from "../retention/stock.ts";
import type { Share } from "../sharing/share.ts";
import type { WirePieces } from "../sharing/wire-pieces.ts";
import { areChunksThere, isChunkSound } from "../store/chunk-store.ts";
import { FileSha256 } from "../store/file-sha256.ts";
import {
  chunkLength,
  type Manifest,
  readManifest,
  rewriteManifest,
  writeManifest,
} from "../store/manifest.ts";
import type { StoredChunk } from "../store/stored-chunk.ts";
import { orStoreFault } from "../store-fault.ts";
import type { UpstreamFile } from "../upstream/job.ts";
import { areOfParts } from "../upstream/part-list.ts";
import { buildManifest } from "./build-manifest.ts";
import type { TransferHead } from "./transfer-head.ts";
import type { Outcome, TransferOptions } from "./transfer-options.ts";

export class Committer {
  /** Why the image is not going to be committed. */
  #obstacle: ImageManagerError | undefined;
  readonly #context: ManagerContext;
  readonly #options: TransferOptions;
  readonly #share: Share;
  readonly #pieces: WirePieces;
  /** See {@link RunningTransfer}. */
  readonly written = new Map<string, StoredChunk>();
  /** Is given the chunks on their way, if the SHA-256 of the file is wanted. */
  readonly fileSha256: FileSha256 | undefined;
  readonly #onGivenUp: () => void;
  #victims: Victims = "images and partials";

  /** `onGivenUp` is told, perhaps more than once, that nothing is going to be committed. */
  constructor(
    context: ManagerContext,
    options: TransferOptions,
    share: Share,
    pieces: WirePieces,
    onGivenUp: () => void,
  ) {
    this.#onGivenUp = onGivenUp;
    this.#context = context;
    this.#options = options;
    this.#share = share;
    this.#pieces = pieces;
    const { createSha256 } = context;
    if (createSha256 && options.isStored) this.fileSha256 = new FileSha256(createSha256);
    if (!options.isStored) this.#obstacle = new StoreError("The image must not be stored");
  }

  /** Why the image is not going to be committed; `undefined` as long as it may be. */
  get obstacle(): ImageManagerError | undefined {
    return this.#obstacle;
  }

  /** Rules the commit out. The first reason stays. */
  preventCommit(reason: ImageManagerError): void {
    this.#obstacle ??= reason;
  }

  /** The stored copy is still right. That is noted in the background, unless another copy has taken its place. */
  confirm(seen: Validators | undefined): Outcome {
    const { id, previous } = this.#options;
    const { now, confirming } = this.#context;
    const stored = previous as Manifest;
    // A copy that came as one file is known by its parts from now on: they tell more.
    const validators = seen && areOfParts(seen) ? seen : stored.validators;
    const manifest: Manifest = { ...stored, validators, validatedAt: now() };
    const noting = this.#note(id, manifest).finally(() => {
      if (confirming.get(id) === noting) confirming.delete(id);
    });
    confirming.set(id, noting);
    void inBackground(this.#context, noting);
    return { manifest };
  }

  async #note(id: string, { digest, validators, validatedAt }: Manifest): Promise<void> {
    const { store, serially } = this.#context;
    try {
      const change = (current: Manifest) =>
        this.#obstacle ? undefined : { ...current, validators, validatedAt };
      await serially(() => rewriteManifest(store, id, digest, change));
    } catch (cause) {
      this.storeFault("write", cause);
    }
  }

  /** A manifest that was not there when this transfer was decided on. */
  async committedMeanwhile(): Promise<Manifest | undefined> {
    const { id, previous } = this.#options;
    const manifest = await orStoreFault(this.#context, "read", () => readManifest(this.#context.store, id));
    const isNew = manifest?.createdAt !== previous?.createdAt || manifest?.digest !== previous?.digest;
    return isNew ? manifest : undefined;
  }

  /** Done under a lock, so that no two commits take the same room, and no pin is lost. `onRead`: see {@link FileSha256.finish}. */
  async commit(window: TransferWindow, file: UpstreamFile, onRead: () => void): Promise<Outcome> {
    const { id, identity } = this.#options;
    const { now, store, serially } = this.#context;
    const sha256 = await this.#sha256Of(window, onRead);
    return serially(async () => {
      try {
        const previous = await readManifest(store, id);
        const { written } = this;
        const manifest = await buildManifest({
          identity,
          window,
          written,
          file,
          now: now(),
          previous,
          sha256,
        });
        if (await this.#hasLostChunks(manifest)) return { obstacle: this.#lost() };
        if (!(await makeRoomFor(this.#context, id, manifest))) return { obstacle: this.#tooLarge() };
        if (this.#obstacle) return { obstacle: this.#obstacle };
        await noteImage(this.#context, id, manifest);
        await writeManifest(store, id, manifest);
        // Some drivers (read-only ones, `null`) accept values that they do not keep.
        if ((await readManifest(store, id))?.digest !== manifest.digest) return { obstacle: this.#lost() };
        addUpSometime(this.#context);
        return { manifest };
      } catch (cause) {
        return { obstacle: this.storeFault("commit", cause) };
      }
    });
  }

  /** After a resume, part of it is read from the store. An image without it is better than none. */
  async #sha256Of({ size, chunkBytes, digests }: TransferWindow, onRead: () => void) {
    try {
      return await this.fileSha256?.finish(this.#context, { size, chunkBytes, chunks: digests }, onRead);
    } catch (cause) {
      onRead(); // throws if the transfer was aborted
      this.#context.emit({ type: "store-fault", operation: "sha256", cause });
      return undefined;
    }
  }

  /** Evicts what has to go for it, as far as the size is known before. The commit knows it exactly. */
  async makeRoom({ size, estimate }: TransferHead): Promise<void> {
    const { maxBytes, serially } = this.#context;
    if (maxBytes === undefined || this.#obstacle) return;
    const bytes = size ?? (await estimate()) ?? 0;
    try {
      const hasRoom = await serially(() => makeRoom(this.#context, bytes, "images and partials"));
      // Holes and shared chunks may still let it fit; but no image goes for one that seems too large.
      if (!hasRoom) this.#victims = "partials";
    } catch (cause) {
      this.storeFault("evict", cause);
    }
  }

  /** Makes room for a chunk and counts it in. `false` if there is no room: then the image is delivered, not stored. */
  async admitChunk(digest: string, chunk: StoredChunk): Promise<boolean> {
    if (this.#obstacle) return false;
    try {
      const ask = () => admit(this.#context, chunk.bytes, this.#victims);
      // What helps only if this process dies goes before the image itself.
      const isAdmitted = (await ask()) || ((await this.#pieces.giveRoom()) && (await ask()));
      if (isAdmitted) this.written.set(digest, chunk);
      else this.#tooLarge();
      return isAdmitted;
    } catch (cause) {
      this.storeFault("evict", cause);
      return false;
    }
  }

  /**
   * Whether chunks have gone since they were written. They may have if no lease says that they are needed: there never was one, and another
   * process has given up the same image; or it is gone too, as after a clean or a restart without memory. A driver that promises nothing may
   * also not keep what it takes: the first chunk tells.
   */
  async #hasLostChunks(manifest: Manifest): Promise<boolean> {
    const { store } = this.#context;
    if (store.isAdapter && (await this.#share.isProtected())) return false;
    const index = manifest.chunks.findIndex((digest) => digest !== null);
    const first = manifest.chunks[index];
    if (first && !(await isChunkSound(this.#context, first, chunkLength(manifest, index)))) return true;
    return !(await areChunksThere(store, manifest.chunks));
  }

  #lost(): ImageManagerError {
    return this.storeFault("commit", new StoreError("The store did not keep what was written"));
  }

  #tooLarge(): ImageManagerError {
    return this.#giveUp(new StoreError(`The image does not fit into "maxBytes" (${this.#context.maxBytes})`));
  }

  /** Ends the caching, not the delivery. Other processes then do not wait for a commit that never comes. */
  storeFault(operation: string, cause: unknown): ImageManagerError {
    this.#context.emit({ type: "store-fault", operation, cause });
    return this.#giveUp(isImageManagerError(cause) ? cause : new StoreError("The store failed", { cause }));
  }

  /** Others must not wait for a commit that does not come, and the written chunks take the room of other images. */
  #giveUp(obstacle: ImageManagerError): ImageManagerError {
    this.#obstacle ??= obstacle;
    this.#onGivenUp();
    return this.#obstacle;
  }
}
