/**
 * The ledger: what is stored, as a few values. Who commits or evicts an image writes one record of it (the news), and never writes that again.
 * Records are added up by whoever finds too many of them: he writes their sum as pages under new names, and deletes them after that. Each key
 * has one writer, and a process that dies leaves at worst the same thing said twice.
 */
import { randomName } from "../clock.ts";
import { eachOf } from "../each.ts";
import type { ByteStore } from "./byte-store.ts";
import { folders, ledgerNewsKey, ledgerPageKey } from "./keys.ts";
import {
  decodeRecord,
  encodeRecord,
  type LedgerImage,
  type LedgerRecord,
  recordBytesOf,
} from "./ledger-record.ts";
import { type OnUnreadable, orPassOver } from "./pass-over.ts";

/** What the records say together. */
export interface LedgerSum {
  readonly images: ReadonlyMap<string, LedgerImage>;
  /** Some page set is there as a whole, and no record is damaged. Otherwise images may be missing. */
  readonly isComplete: boolean;
  /** The records that it is made of. */
  readonly keys: readonly string[];
  /** How many of them are not pages of the newest sum. */
  readonly news: number;
}

/** So many records are read one by one before somebody adds them up. On average half as many are read at a look. */
export const mostNews = 8;
/** What a page may have, if the store takes as much. */
const pageBytes = 4 * 1024 * 1024;
/** Pages in memory, on their way in or out. */
const pagesAtATime = 4;
/** So often a key may be deleted by another process between listing and reading. */
const maxLooks = 3;

/** One manager's access to the ledger. Records do not change, so each is read once. */
export class Ledger {
  readonly #records = new Map<string, LedgerRecord>();
  #notes = 0;

  /** Whether this manager alone has written enough records to add them up. */
  get isDue(): boolean {
    return this.#notes >= mostNews;
  }

  /** Adds up all records. One listing, and a read for each record that is new. */
  async read(store: ByteStore, onUnreadable: OnUnreadable): Promise<LedgerSum> {
    let keys: string[] = [];
    let isWhole = false;
    for (let look = 1; !isWhole && look <= maxLooks; look++) {
      keys = await store.list(folders.ledger);
      const listed = new Set(keys);
      for (const known of this.#records.keys()) if (!listed.has(known)) this.#records.delete(known);
      const unread = keys.filter((key) => !this.#records.has(key));
      const found = await eachOf(unread, (key) => this.#fetch(store, key, onUnreadable), pagesAtATime * 2);
      isWhole = found.every(Boolean);
    }
    const pages = pagesOf(keys);
    return {
      images: sumOf(this.#records.values()),
      isComplete: isWhole && pages > 0,
      keys,
      news: keys.length - pages,
    };
  }

  /** A stamp later than all that is known here of an image, and not before the time. */
  stampAfter(id: string, now: number): number {
    const stamps = [...this.#records.values()].flatMap(({ images, gone }) => [
      images.get(id)?.stamp,
      gone.get(id),
    ]);
    return Math.max(now, ...stamps.map((stamp) => (stamp ?? -1) + 1));
  }

  /** Says what one process did. */
  async note(store: ByteStore, record: Partial<LedgerRecord>): Promise<void> {
    await this.#write(store, ledgerNewsKey(randomName()), { images: new Map(), gone: new Map(), ...record });
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
    const pages = paginated(images, Math.min(pageBytes, store.maxValueBytes));
    const write = ([index, page]: [number, Map<string, LedgerImage>]) =>
      this.#write(store, ledgerPageKey(set, index, pages.length), { images: page, gone: new Map() });
    await eachOf([...pages.entries()], write, pagesAtATime);
    await store.removeMany(keys);
  }

  /** Puts one record in the place of many small ones that are not complete: what else there is stays as it is. */
  async merge(store: ByteStore): Promise<void> {
    const small = [...this.#records].filter(([, record]) => bytesIn(record) < pageBytes / 4);
    const images = new Map<string, LedgerImage>();
    const gone = new Map<string, number>();
    for (const [, record] of small) addUp(record, images, gone);
    await this.note(store, { images, gone });
    this.#notes = 0;
    await store.removeMany(small.map(([key]) => key));
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

function bytesIn({ images }: LedgerRecord): number {
  return [...images].reduce((sum, [id, image]) => sum + recordBytesOf(id, image), 0);
}

/** How many pages the largest whole set has. */
function pagesOf(keys: readonly string[]): number {
  const sets = new Map<string, number>();
  for (const key of keys) {
    const [, set, pages] = /^([^:]+):\d+:(\d+)$/.exec(key.slice(folders.ledger.length)) ?? [];
    if (set === undefined) continue;
    const name = `${set}:${pages}`;
    sets.set(name, (sets.get(name) ?? 0) + 1);
  }
  const whole = [...sets].filter(([name, count]) => name.endsWith(`:${count}`)).map(([, count]) => count);
  return Math.max(0, ...whole);
}

function sumOf(records: Iterable<LedgerRecord>): Map<string, LedgerImage> {
  const images = new Map<string, LedgerImage>();
  const gone = new Map<string, number>();
  for (const record of records) addUp(record, images, gone);
  for (const [id, stamp] of gone) if ((images.get(id)?.stamp ?? stamp) < stamp) images.delete(id);
  return images;
}

/** The later of two says what is. */
function addUp(record: LedgerRecord, images: Map<string, LedgerImage>, gone: Map<string, number>): void {
  for (const [id, image] of record.images)
    if ((images.get(id)?.stamp ?? image.stamp) <= image.stamp) images.set(id, image);
  for (const [id, stamp] of record.gone) gone.set(id, Math.max(stamp, gone.get(id) ?? stamp));
}

/** At least one page: an empty store has a sum as well. */
function paginated(images: ReadonlyMap<string, LedgerImage>, maxBytes: number): Map<string, LedgerImage>[] {
  let page = new Map<string, LedgerImage>();
  const pages = [page];
  let bytes = 0;
  for (const [id, image] of images) {
    const more = recordBytesOf(id, image);
    if (bytes + more > maxBytes && page.size > 0) {
      page = new Map();
      pages.push(page);
      bytes = 0;
    }
    page.set(id, image);
    bytes += more;
  }
  return pages;
}
