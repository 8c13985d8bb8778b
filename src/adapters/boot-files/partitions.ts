/** The partitions of a disk image: a master boot record with its logical partitions, or a GUID partition table. */
import type { PatchedImage } from "./patched-image.ts";

/** A partition, by the number that Linux gives it. */
export interface Partition {
  /** MBR: 1 to 4, logical ones from 5. GPT: the entry's place, from 1. */
  readonly number: number;
  /** First byte. */
  readonly start: number;
  /** Bytes. */
  readonly size: number;
  /** GPT alone: the name in the table. */
  readonly name?: string;
}

const sectorBytes = 512;
const protectiveType = 0xee;
const extendedTypes = [0x05, 0x0f, 0x85];
/** More logical partitions than any disk image has. A chain that is longer runs in a circle. */
const maxLogical = 128;
const maxGptEntries = 1024;

/** Reads the partition table. Partitions that reach beyond the image are left out; without a table there are none. */
export async function readPartitions(image: PatchedImage): Promise<Partition[]> {
  const entries = await readRecord(image, 0);
  const isGpt = entries.some(({ type }) => type === protectiveType);
  const found = (isGpt && (await readGpt(image))) || (await readMbr(image, entries));
  return found.filter(({ start, size }) => start > 0 && size > 0 && start + size <= image.size);
}

interface RecordEntry {
  readonly type: number;
  /** Sectors, from the disk's start or from another record's, as the record's place says. */
  readonly start: number;
  readonly sectors: number;
}

/** The four entries of the boot record in a sector; none if there is no record. */
async function readRecord(image: PatchedImage, sector: number): Promise<RecordEntry[]> {
  const start = sector * sectorBytes;
  if (start + sectorBytes > image.size) return [];
  const bytes = await image.read(start, start + sectorBytes);
  const view = new DataView(bytes.buffer);
  if (view.getUint16(510, true) !== 0xaa55) return [];
  return [446, 462, 478, 494].map((at) => ({
    type: view.getUint8(at + 4),
    start: view.getUint32(at + 8, true),
    sectors: view.getUint32(at + 12, true),
  }));
}

async function readMbr(image: PatchedImage, entries: readonly RecordEntry[]): Promise<Partition[]> {
  const primary = entries.map((entry, index) => partition(index + 1, entry.start, entry.sectors));
  const extended = entries.find(({ type }) => extendedTypes.includes(type));
  const plain = primary.filter((_, index) => !extendedTypes.includes(entries[index]!.type));
  return extended ? [...plain, ...(await readLogical(image, extended.start))] : plain;
}

/** Each extended record names one logical partition, counted from itself, and the next record, counted from the first. */
async function readLogical(image: PatchedImage, first: number): Promise<Partition[]> {
  const found: Partition[] = [];
  let record = first;
  while (found.length < maxLogical) {
    const [logical, next] = await readRecord(image, record);
    if (!logical || logical.type === 0) break;
    found.push(partition(5 + found.length, record + logical.start, logical.sectors));
    if (!next || next.type === 0 || next.start === 0) break;
    record = first + next.start;
  }
  return found;
}

async function readGpt(image: PatchedImage): Promise<Partition[] | undefined> {
  if (image.size < 2 * sectorBytes) return undefined;
  const header = new DataView((await image.read(sectorBytes, 2 * sectorBytes)).buffer);
  const signature = String.fromCharCode(...new Uint8Array(header.buffer, 0, 8));
  const tableStart = Number(header.getBigUint64(72, true)) * sectorBytes;
  const [count, entryBytes] = [header.getUint32(80, true), header.getUint32(84, true)];
  const isSane =
    signature === "EFI PART" && entryBytes >= 128 && entryBytes <= 4096 && count <= maxGptEntries;
  if (!isSane || tableStart + count * entryBytes > image.size) return undefined;
  const table = await image.read(tableStart, tableStart + count * entryBytes);
  const entries = Array.from({ length: count }, (_, index) =>
    gptPartition(index + 1, new DataView(table.buffer, index * entryBytes, 128)),
  );
  return entries.filter((entry) => entry !== undefined);
}

function gptPartition(number: number, entry: DataView): Partition | undefined {
  // An unused entry has a type of zeros.
  if (entry.getBigUint64(0, true) === 0n && entry.getBigUint64(8, true) === 0n) return undefined;
  const [first, last] = [Number(entry.getBigUint64(32, true)), Number(entry.getBigUint64(40, true))];
  const letters = Array.from({ length: 36 }, (_, index) => entry.getUint16(56 + 2 * index, true));
  const name = String.fromCharCode(...letters).replace(/\0.*$/s, "");
  return { ...partition(number, first, last - first + 1), name };
}

function partition(number: number, firstSector: number, sectors: number): Partition {
  return { number, start: firstSector * sectorBytes, size: sectors * sectorBytes };
}
