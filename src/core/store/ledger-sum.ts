/** Adds up records of the ledger, and divides their sum into pages. Pure. */
import { type Content, joined } from "./content.ts";
import { folders } from "./keys.ts";
import { type LedgerEntry, type LedgerRecord, recordBytesOf } from "./ledger-record.ts";

/** An image, as far as sums need to know it. All of it is a hint, as old as its record. */
export interface LedgerImage {
  /** Name of its latest entry, if it has one. */
  readonly tag?: string;
  /** When the entry was made, milliseconds since 1970; of two entries made at once, the later one has one more. */
  readonly stamp: number;
  readonly usedAt: number;
  readonly pinned: boolean;
  readonly content: Content;
}

/** What the records say together. */
export interface LedgerSum {
  readonly images: ReadonlyMap<string, LedgerImage>;
  /** A set of pages is there as a whole, and no record is damaged. Otherwise images may be missing. */
  readonly isComplete: boolean;
  /** The records that it is made of. */
  readonly keys: readonly string[];
  /** How many of them are not pages of the newest sum. */
  readonly news: number;
}

/**
 * The images of all entries that nobody has struck out. Two entries of one image are there if its second writer did not know of the first: the later
 * one says what it is, and the chunks of both may be needed.
 */
export function sumOf(records: Iterable<LedgerRecord>): Map<string, LedgerImage> {
  const all = [...records];
  const gone = new Set(all.flatMap((record) => record.gone));
  const images = new Map<string, LedgerImage>();
  for (const { id, ...entry } of all.flatMap((record) => record.images)) {
    if (gone.has(entry.tag)) continue;
    const other = images.get(id);
    images.set(id, other && other.tag !== entry.tag ? both(entry, other) : entry);
  }
  return images;
}

function both(a: LedgerImage, b: LedgerImage): LedgerImage {
  const later = a.stamp > b.stamp ? a : b;
  return { ...later, usedAt: Math.max(a.usedAt, b.usedAt), content: joined(a.content, b.content) };
}

/** The entries as pages. At least one: an empty store has a sum as well. */
export function paginated(entries: readonly LedgerEntry[], maxBytes: number): LedgerRecord[] {
  let page: LedgerEntry[] = [];
  const pages = [page];
  let bytes = 0;
  for (const entry of entries) {
    const more = recordBytesOf(entry);
    if (bytes + more > maxBytes && page.length > 0) {
      page = [];
      pages.push(page);
      bytes = 0;
    }
    page.push(entry);
    bytes += more;
  }
  return pages.map((images) => ({ images, gone: [] }));
}

/** Sets of which every page is listed, the largest first. */
export function wholeSetsIn(keys: readonly string[]): { set: string; pages: number }[] {
  const counts = new Map<string, number>();
  for (const { set, pages } of keys.flatMap(pageOf))
    counts.set(`${set}:${pages}`, (counts.get(`${set}:${pages}`) ?? 0) + 1);
  return [...counts]
    .map(([name, count]) => ({ set: name.slice(0, name.indexOf(":")), pages: count, name }))
    .filter(({ name, pages }) => name.endsWith(`:${pages}`))
    .sort((a, b) => b.pages - a.pages);
}

/** Keys of the first pages of sets. They have no images, and are deleted before the others. */
export const markersIn = (keys: readonly string[]): string[] =>
  keys.filter((key) => pageOf(key)[0]?.page === 0);

/** Whether a record is a page of a sum. */
export const isPage = (key: string): boolean => pageOf(key).length > 0;

function pageOf(key: string): { set: string; page: number; pages: number }[] {
  const [, set, page, pages] = /^([^:]+):(\d+):(\d+)$/.exec(key.slice(folders.ledger.length)) ?? [];
  return set === undefined ? [] : [{ set, page: Number(page), pages: Number(pages) }];
}
