/** The file allocation table: which cluster follows which, and which are free. */
import { EditError } from "../../../core/errors.ts";
import type { Volume } from "./volume.ts";

/** Entries from here on end a chain; the one before marks a bad cluster. */
const endMarks = { 12: 0xff8, 16: 0xfff8, 32: 0x0ffffff8 } as const;
const lastMarks = { 12: 0xfff, 16: 0xffff, 32: 0x0fffffff } as const;

/** A table of this size serves a volume of 64 GiB; no boot partition comes near it. */
const maxTableBytes = 64 * 1024 * 1024;

export class FileTable {
  readonly #volume: Volume;
  /** The first table as it is now. */
  readonly #entries: DataView;
  #nextFree = 2;
  #freeDelta = 0;
  #lastTaken: number | undefined;

  private constructor(volume: Volume, entries: DataView) {
    this.#volume = volume;
    this.#entries = entries;
  }

  /** Reads the table, whole: looking for free clusters goes through all of it. */
  static async open(volume: Volume): Promise<FileTable> {
    const { image, tables, clusterEnd, bits } = volume;
    const [first] = tables;
    const bytes = Math.ceil((clusterEnd * bits) / 8) + (bits === 12 ? 1 : 0);
    if (bytes > maxTableBytes)
      throw new EditError(
        "damaged",
        `The FAT file system's table has ${bytes} bytes, more than ${maxTableBytes}`,
      );
    return new FileTable(volume, new DataView((await image.read(first!.start, first!.start + bytes)).buffer));
  }

  /** The clusters of a file or directory, in order; none for one that has none. */
  chain(first: number): number[] {
    const { bits, clusterEnd } = this.#volume;
    const clusters: number[] = [];
    for (let cluster = first; cluster !== 0; ) {
      if (cluster < 2 || cluster >= clusterEnd)
        throw new EditError(
          "damaged",
          `A chain of clusters leads to cluster ${cluster}, which does not exist`,
        );
      if (clusters.length >= clusterEnd) throw new EditError("damaged", "A chain of clusters is a circle");
      clusters.push(cluster);
      const next = this.#get(cluster);
      if (next >= endMarks[bits]) return clusters;
      if (next === 0)
        throw new EditError("damaged", `A chain of clusters leads to cluster ${cluster}, which is free`);
      cluster = next;
    }
    return clusters;
  }

  /** Makes a chain exactly `count` clusters long: keeps what it has, takes free ones, frees the rest. */
  async resize(chain: readonly number[], count: number): Promise<readonly number[]> {
    if (count === chain.length) return chain;
    const kept = chain.slice(0, count);
    const taken = this.#findFree(count - kept.length);
    for (const freed of chain.slice(count)) await this.#set(freed, 0);
    const result = [...kept, ...taken];
    for (let index = Math.max(0, kept.length - 1); index < result.length; index++)
      await this.#set(result[index]!, result[index + 1] ?? lastMarks[this.#volume.bits]);
    this.#freeDelta += chain.length - result.length;
    this.#lastTaken = taken.at(-1) ?? this.#lastTaken;
    return result;
  }

  /** FAT32: notes how many clusters are free now, and where the search for one may start. */
  async noteFree(): Promise<void> {
    const { image, infoStart, clusterEnd } = this.#volume;
    if (infoStart === undefined || (this.#freeDelta === 0 && this.#lastTaken === undefined)) return;
    const info = new DataView((await image.read(infoStart, infoStart + 512)).buffer);
    const isInfo = info.getUint32(0, true) === 0x41615252 && info.getUint32(484, true) === 0x61417272;
    if (!isInfo) return;
    const free = info.getUint32(488, true) + this.#freeDelta;
    // A count that is not known (all ones) stays so.
    if (free >= 0 && free <= clusterEnd) info.setUint32(488, free, true);
    if (this.#lastTaken !== undefined) info.setUint32(492, this.#lastTaken, true);
    await image.write(infoStart, new Uint8Array(info.buffer));
    this.#freeDelta = 0;
  }

  /** The lowest free clusters, so that the same files always get the same ones. */
  #findFree(count: number): number[] {
    const found: number[] = [];
    let cluster = this.#nextFree;
    for (; found.length < count; cluster++) {
      if (cluster >= this.#volume.clusterEnd) {
        const bytes = count * this.#volume.clusterBytes;
        throw new EditError("full", `The boot partition has no room for ${bytes} more bytes`);
      }
      if (this.#get(cluster) === 0) found.push(cluster);
    }
    this.#nextFree = cluster;
    return found;
  }

  #get(cluster: number): number {
    const { bits } = this.#volume;
    const at = Math.floor((cluster * bits) / 8);
    // The upper four bits of FAT32 are reserved.
    if (bits === 32) return this.#entries.getUint32(at, true) & 0x0fffffff;
    const both = this.#entries.getUint16(at, true);
    if (bits === 16) return both;
    // Two entries of FAT12 share three bytes.
    return cluster % 2 === 0 ? both & 0xfff : both >> 4;
  }

  async #set(cluster: number, value: number): Promise<void> {
    const { image, bits, tables } = this.#volume;
    const at = Math.floor((cluster * bits) / 8);
    this.#setEntry(at, cluster, value);
    const bytes = new Uint8Array(this.#entries.buffer, at, bits === 32 ? 4 : 2);
    for (const { start } of tables) await image.write(start + at, bytes);
    // The next file may take the clusters that are freed here.
    if (value === 0) this.#nextFree = Math.min(this.#nextFree, cluster);
  }

  #setEntry(at: number, cluster: number, value: number): void {
    const { bits } = this.#volume;
    if (bits === 16) this.#entries.setUint16(at, value, true);
    else if (bits === 32) {
      const reserved = this.#entries.getUint32(at, true) & 0xf0000000;
      this.#entries.setUint32(at, (reserved | value) >>> 0, true);
    } else {
      const both = this.#entries.getUint16(at, true);
      const isEven = cluster % 2 === 0;
      this.#entries.setUint16(at, isEven ? (both & 0xf000) | value : (both & 0x000f) | (value << 4), true);
    }
  }
}
