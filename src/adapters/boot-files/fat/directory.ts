/** The entries of a directory: found by name, added and changed. */
import { EditError } from "../../../core/errors.ts";
import {
  isShortName,
  lettersOf,
  longNameEntries,
  shortNameFor,
  shortNameSum,
  shownShortName,
} from "./names.ts";
import type { FileTable } from "./table.ts";
import type { Volume } from "./volume.ts";

const entryBytes = 32;
/** The specification's limit. */
const maxEntries = 65_536;
const attributes = { volumeLabel: 0x08, directory: 0x10, archive: 0x20, longName: 0x0f } as const;
/** 1 January 1980, the first day that FAT knows: one fixed time stamp, so that the same files give the same bytes. */
const stampDate = 0x0021;

/** A file or directory as its directory knows it. */
export interface Entry {
  readonly name: string;
  readonly short: string;
  readonly isDirectory: boolean;
  /** 0 if it has none. */
  readonly firstCluster: number;
  readonly size: number;
  /** Where its 32 bytes lie in the image. */
  readonly at: number;
}

export class Directory {
  readonly #volume: Volume;
  readonly #table: FileTable;
  /** 0 is the root directory. */
  readonly firstCluster: number;

  constructor(volume: Volume, table: FileTable, firstCluster: number) {
    this.#volume = volume;
    this.#table = table;
    this.firstCluster = firstCluster;
  }

  /** Finds an entry by its long or short name; FAT does not tell capitals from small letters. */
  async find(name: string): Promise<Entry | undefined> {
    const wanted = name.toUpperCase();
    const entries = await this.#entries();
    return entries.find(
      (entry) => entry.name.toUpperCase() === wanted || shownShortName(entry.short) === wanted,
    );
  }

  /** Adds a file or directory that has no content yet. */
  async add(name: string, isDirectory: boolean): Promise<Entry> {
    const taken = new Set((await this.#entries()).map(({ short }) => short));
    const short = shortNameFor(name, (candidate) => taken.has(candidate));
    const long = isShortName(name) ? [] : longNameEntries(name, short);
    const places = await this.#freePlaces(long.length + 1);
    for (const [index, bytes] of long.entries()) await this.#volume.image.write(places[index]!, bytes);
    const at = places.at(-1)!;
    await this.#volume.image.write(at, newEntry(short, isDirectory));
    return { name, short, isDirectory, firstCluster: 0, size: 0, at };
  }

  /** Sets where the content of an entry begins, how long it is, and the time stamp. */
  async update(entry: Entry, firstCluster: number, size: number): Promise<void> {
    const { image } = this.#volume;
    const view = new DataView((await image.read(entry.at, entry.at + entryBytes)).buffer);
    if (this.#volume.bits === 32) view.setUint16(20, firstCluster >>> 16, true);
    view.setUint16(26, firstCluster & 0xffff, true);
    view.setUint32(28, entry.isDirectory ? 0 : size, true);
    setStamp(view);
    await image.write(entry.at, new Uint8Array(view.buffer));
  }

  /** Files and directories, without the label, `.` and `..`. */
  async #entries(): Promise<Entry[]> {
    const entries: Entry[] = [];
    let long = "";
    let longSum = -1;
    for (const { at, view } of await this.#slots()) {
      const first = view.getUint8(0);
      if (first === 0) break;
      if (first !== 0xe5 && (view.getUint8(11) & 0x3f) === attributes.longName) {
        // The entries of a long name come last part first; 0x40 marks that one.
        long = lettersOf(view) + ((first & 0x40) !== 0 ? "" : long);
        longSum = view.getUint8(13);
        continue;
      }
      const entry = first === 0xe5 ? undefined : entryOf(view, at, long, longSum, this.#volume.bits);
      if (entry) entries.push(entry);
      long = "";
    }
    return entries;
  }

  /** Places in a row where entries can be put; the directory grows if it has to. */
  async #freePlaces(count: number): Promise<number[]> {
    const slots = await this.#slots();
    const end = slots.findIndex(({ view }) => view.getUint8(0) === 0);
    const isFree = (index: number) => (end !== -1 && index >= end) || slots[index]?.view.getUint8(0) === 0xe5;
    for (let start = 0, run = 0; start + run < slots.length; ) {
      if (isFree(start + run)) run += 1;
      else [start, run] = [start + run + 1, 0];
      if (run < count) continue;
      // Nobody promises that the entries behind the end are zeros.
      const next = slots[start + count];
      if (end !== -1 && start + count > end && next)
        await this.#volume.image.write(next.at, Uint8Array.of(0));
      return slots.slice(start, start + count).map(({ at }) => at);
    }
    await this.#grow(slots.length);
    return this.#freePlaces(count);
  }

  async #grow(entries: number): Promise<void> {
    const { image, fixedRoot, clusterBytes } = this.#volume;
    if ((this.firstCluster === 0 && fixedRoot) || entries + clusterBytes / entryBytes > maxEntries)
      throw new EditError("full", "The directory in the boot partition has no room for more entries");
    const chain = this.#table.chain(this.#startCluster());
    const longer = await this.#table.resize(chain, chain.length + 1);
    await image.write(clusterStart(this.#volume, longer.at(-1)!), new Uint8Array(clusterBytes));
  }

  async #slots(): Promise<{ at: number; view: DataView }[]> {
    const { image, fixedRoot, clusterBytes } = this.#volume;
    const regions =
      this.firstCluster === 0 && fixedRoot
        ? [fixedRoot]
        : this.#table.chain(this.#startCluster()).map((cluster) => ({
            start: clusterStart(this.#volume, cluster),
            size: clusterBytes,
          }));
    if (regions.reduce((sum, { size }) => sum + size, 0) > maxEntries * entryBytes)
      throw new EditError("damaged", "A directory in the boot partition is longer than FAT allows");
    const slots: { at: number; view: DataView }[] = [];
    for (const { start, size } of regions) {
      const bytes = await image.read(start, start + size);
      for (let at = 0; at < size; at += entryBytes)
        slots.push({ at: start + at, view: new DataView(bytes.buffer, at, entryBytes) });
    }
    return slots;
  }

  #startCluster(): number {
    return this.firstCluster === 0 ? this.#volume.rootCluster : this.firstCluster;
  }
}

/** The first byte of a cluster. */
export function clusterStart({ dataStart, clusterBytes }: Volume, cluster: number): number {
  return dataStart + (cluster - 2) * clusterBytes;
}

/** The `.` and `..` that every directory but the root begins with. */
export function dotEntries(self: number, parent: number): Uint8Array {
  const bytes = new Uint8Array(2 * entryBytes);
  for (const [index, [name, cluster]] of (
    [
      [".", self],
      ["..", parent],
    ] as const
  ).entries()) {
    const entry = newEntry(name.padEnd(11), true);
    const view = new DataView(entry.buffer);
    view.setUint16(20, cluster >>> 16, true);
    view.setUint16(26, cluster & 0xffff, true);
    bytes.set(entry, index * entryBytes);
  }
  return bytes;
}

function entryOf(
  view: DataView,
  at: number,
  long: string,
  longSum: number,
  bits: Volume["bits"],
): Entry | undefined {
  const flags = view.getUint8(11);
  const short = String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset, 11));
  if ((flags & attributes.volumeLabel) !== 0 || short.startsWith(".")) return undefined;
  return {
    // A long name whose sum differs belongs to an entry that some old system has deleted.
    name: long !== "" && longSum === shortNameSum(short) ? long : shownShortName(short),
    short,
    isDirectory: (flags & attributes.directory) !== 0,
    // FAT12 and FAT16 may hold something else in the upper half.
    firstCluster: (bits === 32 ? view.getUint16(20, true) << 16 : 0) | view.getUint16(26, true),
    size: view.getUint32(28, true),
    at,
  };
}

function newEntry(short: string, isDirectory: boolean): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(entryBytes));
  for (let index = 0; index < 11; index++) view.setUint8(index, short.charCodeAt(index));
  view.setUint8(11, isDirectory ? attributes.directory : attributes.archive);
  view.setUint16(16, stampDate, true);
  setStamp(view);
  return new Uint8Array(view.buffer);
}

/** Times of the last write and access. That of creation stays as it is. */
function setStamp(view: DataView): void {
  view.setUint16(18, stampDate, true);
  view.setUint16(22, 0, true);
  view.setUint16(24, stampDate, true);
}
