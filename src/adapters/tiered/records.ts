/** Small values in two tiers. The far store has them; the near one has copies, and what it had to take in the far one's place. */
import { bounds } from "../../core/bounds.ts";
import type { CreateResult } from "../../core/types.ts";
import type { ReadOptions } from "./chunks.ts";
import { copyKeyOf, isManifestKey, type Kind } from "./kinds.ts";
import { limitFor, type Tiers } from "./tiers.ts";

/** Reads, writes and deletes small values. `kind` is the key's, and never `chunk`. */
export interface Records {
  read(key: string, kind: Kind, options: ReadOptions): Promise<Uint8Array<ArrayBuffer> | undefined>;
  has(key: string, kind: Kind): Promise<boolean>;
  write(key: string, kind: Kind, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** `isFarDone`: the far store's value is deleted already, or stays. */
  remove(key: string, kind: Kind, isFarDone: boolean): Promise<void>;
  create(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<CreateResult>;
}

/** Puts small values into both tiers. */
export function createRecords(tiers: Tiers): Records {
  const { near, far, link, farReadOnly, own, unsent, background } = tiers;

  /** A copy is for a time when the far store is away. What belongs to a transfer is worth nothing then. */
  const copy = (key: string, kind: Kind, bytes: Uint8Array<ArrayBuffer>) => {
    if (kind === "record") background.run(near.write(copyKeyOf(key), new Uint8Array(bytes)));
  };

  const writeOwn = async (key: string, bytes: Uint8Array<ArrayBuffer>) => {
    own.add();
    await near.write(key, bytes);
  };

  const isOwn = async (key: string) => own.mayExist && near.has(key);

  /** A transfer that began near goes on near. So do all values if nothing may be written far. */
  const isNearFirst = (kind: Kind) => farReadOnly || (kind === "passing" && own.mayExist);

  const readFar = async (key: string, kind: Kind, options: ReadOptions) => {
    const limitMs = kind === "passing" ? limitFor(tiers, bounds.wirePieceBytes) : undefined;
    const bytes = await link.call("read", () => far.read(key, options), { limitMs, signal: options.signal });
    if (bytes) copy(key, kind, bytes);
    return bytes;
  };

  return {
    async read(key, kind, options) {
      const ours = isNearFirst(kind) ? await near.read(key, options) : undefined;
      if (ours || (farReadOnly && kind === "passing")) return ours;
      try {
        const bytes = await readFar(key, kind, options);
        if (bytes) return bytes;
      } catch {
        options.signal?.throwIfAborted();
        return (await near.read(key, options)) ?? (await near.read(copyKeyOf(key), options));
      }
      return own.mayExist ? near.read(key, options) : undefined;
    },

    async has(key, kind) {
      if (await isOwn(key)) return true;
      if (farReadOnly && kind === "passing") return false;
      return link.call("read", () => far.has(key)).catch(() => near.has(copyKeyOf(key)));
    },

    async write(key, kind, bytes) {
      if (farReadOnly || (kind === "passing" && (await isOwn(key)))) return writeOwn(key, bytes);
      // A manifest follows its chunks.
      if (isManifestKey(key) && unsent.size > 0) return writeOwn(key, bytes);
      try {
        await link.call("write", () => far.write(key, bytes), { limitMs: limitFor(tiers, bytes.length) });
      } catch {
        return writeOwn(key, bytes);
      }
      copy(key, kind, bytes);
      if (kind === "record" && own.mayExist) await near.remove(key);
    },

    async remove(key, kind, isFarDone) {
      const fromFar = isFarDone ? undefined : link.call("remove", () => far.remove(key));
      // A transfer that ends must not fail because of what is left of it: `prune` finds that later.
      await (kind === "passing" ? fromFar?.catch(() => undefined) : fromFar);
      if (own.mayExist) await near.remove(key);
      if (kind === "record") await near.remove(copyKeyOf(key));
    },

    async create(key, bytes) {
      const createNear = async () => {
        own.add();
        return near.create(key, bytes);
      };
      if (farReadOnly) return createNear();
      if (await isOwn(key)) return "exists";
      return link.call("create", () => far.create(key, bytes)).catch(createNear);
    },
  };
}
