/** What of a transfer gets into the store as an image: the room that is made for it, the commit, and what stands in its way. */
import type { ManagerContext } from "../context.ts";
import { type ImageManagerError, isImageManagerError, StoreError } from "../errors.ts";
import { makeRoom, makeRoomFor } from "../retention/room.ts";
import { type Manifest, readManifest, writeManifest } from "../store/manifest.ts";
import { buildManifest } from "./build-manifest.ts";
import type { OpenedBody } from "./opened.ts";
import type { OpenedFile } from "./read-file.ts";
import type { Outcome, TransferOptions } from "./transfer-options.ts";
import type { TransferWindow } from "./window.ts";

export class Committer {
  /** Why the image is not going to be committed. */
  obstacle: ImageManagerError | undefined;
  readonly #context: ManagerContext;
  readonly #options: TransferOptions;
  readonly #leave: (isDone: boolean) => void;
  #storedBytes = 0;

  /** `leave` is called as soon as it is certain that there is no commit: others need not wait for it. */
  constructor(context: ManagerContext, options: TransferOptions, leave: (isDone: boolean) => void) {
    this.#context = context;
    this.#options = options;
    this.#leave = leave;
    if (!options.isStored) this.obstacle = new StoreError("The image was not to be stored");
  }

  /** The stored copy is still right: notes when that was seen, unless another one has taken its place. */
  async confirm(): Promise<Outcome> {
    const { id, previous } = this.#options;
    const { store, emit, now, serially } = this.#context;
    const manifest: Manifest = { ...(previous as Manifest), validatedAt: now() };
    emit({ type: "revalidated", image: id });
    try {
      await serially(async () => {
        const current = await readManifest(store, id);
        if (current?.digest !== manifest.digest || this.obstacle) return;
        await writeManifest(store, id, { ...current, validatedAt: manifest.validatedAt });
      });
    } catch (cause) {
      this.storeFault("write", cause);
    }
    return { manifest };
  }

  /** A manifest that was not there when this transfer was decided on. */
  async committedMeanwhile(): Promise<Manifest | undefined> {
    const { id, previous } = this.#options;
    try {
      const manifest = await readManifest(this.#context.store, id);
      const isNew = manifest?.createdAt !== previous?.createdAt || manifest?.digest !== previous?.digest;
      return isNew ? manifest : undefined;
    } catch (cause) {
      this.#context.emit({ type: "store-fault", operation: "read", cause });
      return undefined;
    }
  }

  /** Done under a lock, so that no two commits take the same room, and no pin is lost. */
  commit(window: TransferWindow, opened: OpenedFile): Promise<Outcome> {
    const { id, identity } = this.#options;
    const { now, store, emit, serially } = this.#context;
    return serially(async () => {
      try {
        const pinned = (await readManifest(store, id))?.pinned ?? false;
        const manifest = { ...(await buildManifest(identity, window, opened, now())), pinned };
        if (!(await makeRoomFor(this.#context, id, manifest))) return { obstacle: this.#tooLarge() };
        if (this.obstacle) return { obstacle: this.obstacle };
        await writeManifest(store, id, manifest);
        emit({ type: "committed", image: id, size: manifest.size });
        return { manifest };
      } catch (cause) {
        return { obstacle: this.storeFault("commit", cause) };
      }
    });
  }

  /** Evicts what has to go for it, as far as the size is known before. The commit knows it exactly. */
  async makeRoom({ size, estimate }: OpenedBody): Promise<void> {
    const { maxBytes, serially } = this.#context;
    if (maxBytes === undefined || this.obstacle) return;
    const bytes = size ?? (await estimate()) ?? 0;
    if (bytes > maxBytes) return; // holes and shared chunks may still let it fit
    try {
      await serially(() => makeRoom(this.#context, bytes));
    } catch (cause) {
      this.storeFault("evict", cause);
    }
  }

  /** An image whose chunks alone exceed the cap is delivered, not stored. */
  mayStore(bytes: number): boolean {
    this.#storedBytes += bytes;
    const { maxBytes = Number.POSITIVE_INFINITY } = this.#context;
    if (this.#storedBytes <= maxBytes) return true;
    this.#tooLarge();
    this.#leave(true);
    return false;
  }

  #tooLarge(): ImageManagerError {
    this.obstacle ??= new StoreError(`The image does not fit into "maxBytes" (${this.#context.maxBytes})`);
    return this.obstacle;
  }

  /** Ends the caching, not the delivery; and others need not wait for a commit that is not coming. */
  storeFault(operation: string, cause: unknown): ImageManagerError {
    this.#context.emit({ type: "store-fault", operation, cause });
    this.obstacle ??= isImageManagerError(cause) ? cause : new StoreError("The store failed", { cause });
    this.#leave(false);
    return this.obstacle;
  }
}
