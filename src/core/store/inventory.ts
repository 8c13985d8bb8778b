/** Everything that the store lists: images, journals of unfinished transfers, leases and last uses. */

import { isTime } from "../checks.ts";
import { eachOf } from "../each.ts";
import type { ByteStore } from "./byte-store.ts";
import { type Content, contentOf, contentOfPieces, joined } from "./content.ts";
import { type Journal, type JournalHeader, readJournal } from "./journal.ts";
import { decodeJson } from "./json.ts";
import { folders, isLeaseHeadKey, wireKey } from "./keys.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { type OnUnreadable, orPassOver } from "./pass-over.ts";
import { readUses } from "./uses.ts";

/** A manifest, with its chunks as numbers. */
export type StoredImage = Omit<Manifest, "chunks" | "stored"> & { readonly content: Content };

/** A journal, likewise. Its chunks are whole. */
export interface StoredJournal {
  readonly header: JournalHeader;
  /** Chunks that have come, holes too. */
  readonly chunkCount: number;
  readonly chunks: Content;
  /** Compressed pieces of parts that were under way. */
  readonly pieces: Content;
  /** All that takes room: chunks and pieces. */
  readonly content: Content;
}

/** What transfers have left, and what they are writing. */
export interface Partials {
  readonly journals: ReadonlyMap<string, StoredJournal>;
  /** Ids that have journal keys, readable or not. */
  readonly journalIds: readonly string[];
  /** Keys among the journals that belong to no journal. */
  readonly strayKeys: readonly string[];
  /** When the lease of an image was renewed last, by its owner's clock. */
  readonly leasedAt: ReadonlyMap<string, number>;
}

/** What was found. */
export interface Inventory extends Partials {
  readonly images: ReadonlyMap<string, StoredImage>;
  /** Ids under which no manifest could be made out, or read. */
  readonly unreadable: readonly string[];
  /** The store failed to give some of it. So it is not certain which images need a chunk. */
  readonly isUncertain: boolean;
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
  const partials = await readPartials(store, passOver);
  const { images, unreadable } = await readImages(store, passOver);
  const usedAt = await readUses(store, passOver);
  return { images, unreadable, ...partials, usedAt, isUncertain };
}

/** Reads one value, or passes it over. */
export type PassOver = <T>(read: () => Promise<T>) => Promise<T | undefined>;

/** Reads what transfers have left. It takes two listings, and one if there is nothing. `isKnown`: ids whose journals are not looked at. */
export async function readPartials(
  store: ByteStore,
  passOver: PassOver,
  isKnown: (id: string) => boolean = () => false,
): Promise<Partials> {
  const keys = await store.list(folders.partials);
  const found = await readJournals(store, keys, passOver, isKnown);
  // After the listing: a lease is older than its journal.
  const leasedAt = found.journalIds.length > 0 ? await readLeases(store, passOver) : new Map();
  return { ...found, leasedAt };
}

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

function storedImage(manifest: Manifest): StoredImage {
  const { chunks: _, stored: __, ...head } = manifest;
  return { ...head, content: contentOf(manifest) };
}

async function readJournals(
  store: ByteStore,
  keys: readonly string[],
  passOver: PassOver,
  isKnown: (id: string) => boolean,
) {
  const epochs = new Map<string, Set<number>>();
  const strayKeys: string[] = [];
  for (const key of keys) {
    const [, id, epoch] = /^([^:]+):([1-9]\d{0,9}):[^:]/.exec(key.slice(folders.partials.length)) ?? [];
    if (id === undefined) strayKeys.push(key);
    else if (!isKnown(id)) epochs.set(id, (epochs.get(id) ?? new Set()).add(Number(epoch)));
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
  const { chunkBytes } = header;
  const chunks = contentOf({ chunkBytes, size: digests.length * chunkBytes, chunks: digests, stored });
  const kept = [...wire.values()].flat().filter(isStored);
  const pieces = contentOfPieces(kept.map((piece) => [wireKey(id, piece), piece.bytes]));
  return { header, chunkCount: digests.length, chunks, pieces, content: joined(chunks, pieces) };
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
