/**
 * The ledger: what is stored, as a few values. Who commits or evicts an image writes one record of it (the news), and never writes that again.
 * Records are added up by whoever finds too many of them: he writes their sum as pages under new names, and deletes them after that. Each key
 * has one writer, and a process that dies leaves at worst the same thing said twice.
 */
import { randomName } from "../clock.ts";
import { eachOf } from "../each.ts";
import type { ByteStore } from "./byte-store.ts";
import { folders, ledgerNewsKey, ledgerPageKey } from "./keys.ts";
import { decodeRecord, encodeRecord, type LedgerRecord } from "./ledger-record.ts";
import {
  isPage,
  type LedgerImage,
  type LedgerSum,
  markersIn,
  paginated,
  sumOf,
  wholeSetsIn,
} from "./ledger-sum.ts";
import { type OnUnreadable, orPassOver } from "./pass-over.ts";

/** So many records are read one by one before somebody adds them up. On average half as many are read at a look. */
export const mostNews = 8;
/** What a page may have, if the store takes as much: it is read in the time of a small value, as a manifest is. */
const pageBytes = 2 * 1024 * 1024;
/** Records that are read at a time; of pages one, for all of them would be late at once on a slow line. */
const newsAtATime = 8;
const pagesAtATime = 1;
/** So often records may be added up while somebody looks. */
const maxLooks = 3;

/** One manager's access to the ledger. Records do not change, so each is read once. */
export class Ledger {
  readonly #records = new Map<string, LedgerRecord>();
  #notes = 0;

  /** Whether this manager alone has written enough records to add them up. */
  get isDue(): boolean {
    return this.#notes >= mostNews;
  }

  /** Adds up all records: one listing, a read for each record that is new, and one to see that the listing holds. */
  async read(store: ByteStore, onUnreadable: OnUnreadable): Promise<LedgerSum> {
    let keys: string[] = [];
    let isWhole = false;
    for (let look = 1; !isWhole && look <= maxLooks; look++) {
      keys = await store.list(folders.ledger);
      this.#forgetAllBut(new Set(keys));
      // A listing may show pages as they were before they were replaced, and the news after that. Then the pages' marker is gone.
      for (const marker of markersIn(keys)) this.#records.delete(marker);
      const unread = keys.filter((key) => !this.#records.has(key));
      const pages = unread.filter(isPage);
      const news = unread.filter((key) => !isPage(key));
      const fetch = (key: string) => this.#fetch(store, key, onUnreadable);
      const fetched = [await eachOf(pages, fetch, pagesAtATime), await eachOf(news, fetch, newsAtATime)];
      isWhole = fetched.flat().every(Boolean);
    }
    const [base] = wholeSetsIn(keys);
    return {
      images: sumOf(this.#records.values()),
      isComplete: isWhole && base !== undefined,
      keys,
      news: keys.length - (base?.pages ?? 0),
    };
  }

  /** Says what one process did: images that are there now, and ids that are there no more, as far as it knows of them. */
  async note(
    store: ByteStore,
    images: ReadonlyMap<string, LedgerImage>,
    goneIds: Iterable<string> = [],
  ): Promise<void> {
    const replaced = new Set([...images.keys(), ...goneIds]);
    const gone = [...this.#records.values()].flatMap((record) =>
      record.images.filter(({ id }) => replaced.has(id)).map(({ tag }) => tag),
    );
    const noted = [...images].map(([id, image]) => ({ ...image, id, tag: newTag() }));
    await this.#write(store, ledgerNewsKey(randomName()), { images: noted, gone });
    this.#notes += 1;
  }

  /** Puts pages in the place of records: those of which the given images are the sum. */
  async replace(
    store: ByteStore,
    keys: readonly string[],
    images: ReadonlyMap<string, LedgerImage>,
  ): Promise<void> {
    this.#notes = 0;
    const set = randomName();
    const marker = { images: [], gone: [] };
    // An entry keeps its name. Who has evicted the image meanwhile names that.
    const tagged = [...images].map(([id, image]) => ({ ...image, id, tag: image.tag ?? newTag() }));
    const pages = [marker, ...paginated(tagged, Math.min(pageBytes, store.maxValueBytes))];
    const write = ([index, page]: [number, LedgerRecord]) =>
      this.#write(store, ledgerPageKey(set, index, pages.length), page);
    await eachOf([...pages.entries()], write, pagesAtATime);
    const markers = markersIn(keys);
    await store.removeMany(markers);
    await store.removeMany(keys.filter((key) => !markers.includes(key)));
  }

  #forgetAllBut(listed: ReadonlySet<string>): void {
    for (const key of this.#records.keys()) if (!listed.has(key)) this.#records.delete(key);
  }

  async #fetch(store: ByteStore, key: string, onUnreadable: OnUnreadable): Promise<boolean> {
    const value = await orPassOver(store, onUnreadable, () => store.read(key));
    const record = await decodeRecord(key, value);
    if (record) this.#records.set(key, record);
    return record !== undefined;
  }

  async #write(store: ByteStore, key: string, record: LedgerRecord): Promise<void> {
    await store.write(key, await encodeRecord(key, record));
    this.#records.set(key, record);
  }
}

/** 48 bits of chance: of ten thousand names, two are the same once in five million stores. */
const newTag = () => randomName().slice(0, 13);
