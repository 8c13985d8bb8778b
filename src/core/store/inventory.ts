/** All that the store holds, as far as its listing goes: images, journals of transfers that did not end, last uses. */

import type { ByteStore } from "./byte-store.ts";
import { eachOf } from "./each.ts";
import { type Journal, readJournal } from "./journal.ts";
import { folders } from "./keys.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { readUses } from "./uses.ts";

/** What was found. */
export interface Inventory {
  readonly images: ReadonlyMap<string, Manifest>;
  /** Ids under which no manifest could be made out. */
  readonly unreadable: readonly string[];
  readonly journals: ReadonlyMap<string, Journal>;
  /** Ids that have journal keys, readable or not. */
  readonly journalIds: readonly string[];
  readonly usedAt: ReadonlyMap<string, number>;
}

/** Reads it. Chunks are neither listed nor read. */
export async function readInventory(store: ByteStore): Promise<Inventory> {
  const ids = (await store.list(folders.images)).map((key) => key.slice(folders.images.length));
  const manifests = await eachOf(ids, async (id) => [id, await readManifest(store, id)] as const);
  const journalKeys = (await store.list(folders.partials)).map((key) =>
    key.slice(folders.partials.length).split(":"),
  );
  const journalIds = [...new Set(journalKeys.map(([id]) => id!))];
  const journals = await eachOf(journalIds, async (id) => {
    const epochs = journalKeys.filter(([of]) => of === id).map(([, epoch]) => Number(epoch));
    return [
      id,
      await readJournal(
        store,
        id,
        [...new Set(epochs)].sort((a, b) => a - b),
      ),
    ] as const;
  });
  return {
    images: new Map(
      manifests.filter((entry): entry is readonly [string, Manifest] => entry[1] !== undefined),
    ),
    unreadable: manifests.filter(([, manifest]) => !manifest).map(([id]) => id),
    journals: new Map(
      journals.filter((entry): entry is readonly [string, Journal] => entry[1] !== undefined),
    ),
    journalIds,
    usedAt: await readUses(store),
  };
}
