/** Everything that the store lists: images, journals of unfinished transfers, leases and last uses. */

import { isTime } from "../checks.ts";
import { eachOf } from "../each.ts";
import type { ByteStore } from "./byte-store.ts";
import { type ChunkIds, chunkIdsOf, pieceIdOf } from "./chunk-ids.ts";
import { type Journal, type JournalHeader, readJournal } from "./journal.ts";
import { decodeJson } from "./json.ts";
import { folders, isLeaseHeadKey, wireKey } from "./keys.ts";
import { chunkLength, type Manifest, readManifest } from "./manifest.ts";
import { type OnUnreadable, orPassOver } from "./pass-over.ts";
import { storedBytesOf } from "./stored-chunk.ts";
import { readUses } from "./uses.ts";

/** A manifest, with its chunks as numbers. */
export type StoredImage = Omit<Manifest, "chunks" | "stored"> & {
  readonly chunks: ChunkIds;
  /** Bytes that they take, by index. Absent if they all lie as they are. */
  readonly storedBytes?: Float64Array | undefined;
};

export function storedImage({ stored, ...manifest }: Manifest): StoredImage {
  const storedBytes = storedBytesOf(stored, (index) => chunkLength(manifest, index));
  return { ...manifest, chunks: chunkIdsOf(manifest.chunks), storedBytes };
}

/** A journal, likewise. Its chunks are whole. */
export interface StoredJournal {
  readonly header: JournalHeader;
  readonly chunks: ChunkIds;
  readonly storedBytes?: Float64Array | undefined;
  /** Lengths of the compressed pieces of parts that were under way, by the same numbers. */
  readonly pieces: ReadonlyMap<number, number>;
}

/** What was found. */
export interface Inventory {
  readonly images: ReadonlyMap<string, StoredImage>;
  /** Ids under which no manifest could be made out, or read. */
  readonly unreadable: readonly string[];
  /** The store failed to give some of it. So it is not certain which images need a chunk. */
  readonly isUncertain: boolean;
  readonly journals: ReadonlyMap<string, StoredJournal>;
  /** Ids that have journal keys, readable or not. */
  readonly journalIds: readonly string[];
  /** Keys among the journals that belong to no journal. */
  readonly strayKeys: readonly string[];
  /** When the lease of an image was renewed last, by its owner's clock. */
  readonly leasedAt: ReadonlyMap<string, number>;
  readonly usedAt: ReadonlyMap<string, number>;
}

/** Reads it. Chunks are neither listed nor read. */
export async function readInventory(store: ByteStore, onUnreadable: OnUnreadable): Promise<Inventory> {
  let isUncertain = false;
  const passOver = <T>(read: () => Promise<T>) =>
    orPassOver(
      store,
      (cause) => {
        isUncertain = true;
        onUnreadable(cause);
      },
      read,
    );
  // Journals before manifests: a transfer writes its manifest before it deletes its journal, so its chunks are seen in one of them.
  const leasedAt = await readLeases(store, passOver);
  const partials = await readJournals(store, passOver);
  const { images, unreadable } = await readImages(store, passOver);
  const usedAt = await readUses(store, passOver);
  return { images, unreadable, ...partials, leasedAt, usedAt, isUncertain };
}

/** Reads one value, or passes it over. */
export type PassOver = <T>(read: () => Promise<T>) => Promise<T | undefined>;

async function readImages(store: ByteStore, passOver: PassOver) {
  const ids = (await store.list(folders.images)).map((key) => key.slice(folders.images.length));
  const images = new Map<string, StoredImage>();
  const unreadable: string[] = [];
  await eachOf(ids, async (id) => {
    const manifest = await passOver(() => readManifest(store, id));
    if (manifest) images.set(id, storedImage(manifest));
    else unreadable.push(id);
  });
  return { images, unreadable };
}

async function readJournals(store: ByteStore, passOver: PassOver) {
  const epochs = new Map<string, Set<number>>();
  const strayKeys: string[] = [];
  for (const key of await store.list(folders.partials)) {
    const [, id, epoch] = /^([^:]+):([1-9]\d{0,9}):[^:]/.exec(key.slice(folders.partials.length)) ?? [];
    if (id === undefined) strayKeys.push(key);
    else epochs.set(id, (epochs.get(id) ?? new Set()).add(Number(epoch)));
  }
  const journals = new Map<string, StoredJournal>();
  await eachOf([...epochs], async ([id, of]) => {
    const journal = await passOver(() =>
      readJournal(
        store,
        id,
        [...of].sort((a, b) => a - b),
      ),
    );
    if (journal) journals.set(id, storedJournal(id, journal));
  });
  return { journals, journalIds: [...epochs.keys()], strayKeys };
}

function storedJournal(id: string, { header, digests, stored, wire, isStored }: Journal): StoredJournal {
  const pieces = [...wire.values()].flat().filter(isStored);
  return {
    header,
    chunks: chunkIdsOf(digests),
    storedBytes: storedBytesOf(stored, () => header.chunkBytes),
    pieces: new Map(pieces.map((piece) => [pieceIdOf(wireKey(id, piece)), piece.bytes])),
  };
}

async function readLeases(store: ByteStore, passOver: PassOver): Promise<Map<string, number>> {
  const leasedAt = new Map<string, number>();
  const keys = (await store.list(folders.leases)).filter((key) => !isLeaseHeadKey(key));
  await eachOf(keys, async (key) => {
    const id = key.slice(folders.leases.length, key.lastIndexOf(":"));
    const { renewedAt } = ((await passOver(async () => decodeJson(await store.read(key)))) ?? {}) as {
      renewedAt?: unknown;
    };
    if (isTime(renewedAt)) leasedAt.set(id, Math.max(renewedAt, leasedAt.get(id) ?? 0));
  });
  return leasedAt;
}
