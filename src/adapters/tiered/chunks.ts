/** Chunks in two tiers: read near, then far; near is filled on the way. */
import type { StoreReadOptions } from "../../core/types.ts";
import type { NearCap } from "./near-cap.ts";
import { limitFor, type Tiers } from "./tiers.ts";

/** Reads, writes and deletes chunks. */
export interface Chunks {
  read(key: string, options: ReadOptions): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The far store's value, which takes the place of the near one. */
  readAgain(key: string, options: ReadOptions): Promise<Uint8Array<ArrayBuffer> | undefined>;
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** `isFarDone`: the far store's value is deleted already, or stays. */
  remove(key: string, isFarDone: boolean): Promise<void>;
}

export type ReadOptions = StoreReadOptions & { readonly maxBytes: number };

/** Copies for the near store that may be in memory at once, or one. A chunk that finds no room is filled in when it is read again. */
const fillingBytes = 16 * 1024 * 1024;

/** Puts chunks into both tiers. */
export function createChunks(tiers: Tiers, cap: NearCap): Chunks {
  const { near, far, link, farReadOnly, farTimeoutMs, unsent, background } = tiers;
  let underWay = 0;

  const writeNear = async (key: string, bytes: Uint8Array<ArrayBuffer>) => {
    if (!cap.fits(bytes.length)) throw new Error('The chunk is larger than "nearMaxBytes"');
    await near.write(key, bytes);
    cap.added(key, bytes.length);
  };

  /** Nobody waits for it. The bytes are the reader's, so a copy is written. */
  const fill = (key: string, bytes: Uint8Array<ArrayBuffer>) => {
    const isFull = underWay > 0 && underWay + bytes.length > fillingBytes;
    if (isFull || !cap.fits(bytes.length)) return;
    underWay += bytes.length;
    const ended = () => {
      underWay -= bytes.length;
    };
    background.run(writeNear(key, new Uint8Array(bytes)).then(ended, ended));
  };

  const readFar = async (key: string, options: ReadOptions) => {
    const { signal } = options;
    const run = (onProgress: () => void) =>
      far.read(key, {
        ...options,
        onProgress() {
          onProgress();
          options.onProgress?.();
        },
      });
    const limitMs = far.capabilities?.tellsProgress ? farTimeoutMs : limitFor(tiers, options.maxBytes);
    const bytes = await link.call("read", run, { limitMs, signal });
    if (bytes) fill(key, bytes);
    return bytes;
  };

  return {
    async read(key, options) {
      const bytes = await near.read(key, options).catch(() => undefined); // then the far store has it
      if (!bytes) return readFar(key, options);
      cap.used(key, bytes.length);
      return bytes;
    },
    readAgain: readFar,
    async write(key, bytes) {
      if (farReadOnly) return writeNear(key, bytes);
      const toFar = link.call("write", () => far.write(key, bytes), {
        limitMs: limitFor(tiers, bytes.length),
      });
      const [isNear, isFar] = await Promise.allSettled([writeNear(key, bytes), toFar]);
      if (isFar.status === "fulfilled") unsent.delete(key);
      else if (isNear.status === "fulfilled") unsent.add(key);
      else throw isFar.reason;
    },
    async remove(key, isFarDone) {
      if (!isFarDone) await link.call("remove", () => far.remove(key));
      await near.remove(key);
      cap.removed(key);
      unsent.delete(key);
    },
  };
}
