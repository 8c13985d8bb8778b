/** The geometry of a FAT volume, read from its boot sector and checked. Names are those of Microsoft's FAT specification, 1.03. */
import { EditError } from "../../../core/errors.ts";
import type { PatchedImage } from "../patched-image.ts";

/** A run of bytes of the image. */
export interface Region {
  readonly start: number;
  readonly size: number;
}

/** A FAT volume. Positions are bytes of the image. */
export interface Volume {
  readonly image: PatchedImage;
  readonly bits: 12 | 16 | 32;
  /** The tables that are kept: the first one is read, all are written. */
  readonly tables: readonly Region[];
  /** FAT12 and FAT16: the root directory has a place of its own, and can't grow. */
  readonly fixedRoot: Region | undefined;
  /** FAT32: the first cluster of the root directory. */
  readonly rootCluster: number;
  /** Where cluster 2 begins. */
  readonly dataStart: number;
  readonly clusterBytes: number;
  /** Clusters are numbered from 2 to this (exclusive). */
  readonly clusterEnd: number;
  /** FAT32: the sector that counts free clusters. */
  readonly infoStart: number | undefined;
  readonly label: string;
}

const bootSectorBytes = 512;

/** Opens the volume in a partition; `undefined` if what is there is no FAT. */
export async function openVolume(image: PatchedImage, partition: Region): Promise<Volume | undefined> {
  if (partition.size < bootSectorBytes) return undefined;
  const boot = new DataView((await image.read(partition.start, partition.start + bootSectorBytes)).buffer);
  if (!isFat(boot)) return undefined;
  const volume = geometry(image, partition, boot);
  assertWithin(volume, partition, boot);
  return volume;
}

/** What every FAT has and hardly anything else. Linux looks at the same fields. */
function isFat(boot: DataView): boolean {
  const bytesPerSector = boot.getUint16(11, true);
  const sectorsPerCluster = boot.getUint8(13);
  const tableSectors = boot.getUint16(22, true) || boot.getUint32(36, true);
  return (
    boot.getUint16(510, true) === 0xaa55 &&
    [512, 1024, 2048, 4096].includes(bytesPerSector) &&
    sectorsPerCluster > 0 &&
    (sectorsPerCluster & (sectorsPerCluster - 1)) === 0 &&
    boot.getUint16(14, true) > 0 &&
    [1, 2].includes(boot.getUint8(16)) &&
    (boot.getUint8(21) >= 0xf8 || boot.getUint8(21) === 0xf0) &&
    tableSectors > 0
  );
}

function geometry(image: PatchedImage, { start }: Region, boot: DataView): Volume {
  const sectorBytes = boot.getUint16(11, true);
  const clusterBytes = boot.getUint8(13) * sectorBytes;
  const isFat32 = boot.getUint16(22, true) === 0;
  const tableBytes = (isFat32 ? boot.getUint32(36, true) : boot.getUint16(22, true)) * sectorBytes;
  const firstTable = start + boot.getUint16(14, true) * sectorBytes;
  const rootStart = firstTable + boot.getUint8(16) * tableBytes;
  // The specification rounds the root directory up to whole sectors.
  const rootBytes = Math.ceil((boot.getUint16(17, true) * 32) / sectorBytes) * sectorBytes;
  const dataStart = rootStart + rootBytes;
  const clusters = Math.floor((start + totalSectors(boot) * sectorBytes - dataStart) / clusterBytes);
  const bits = isFat32 ? 32 : clusters < 4085 ? 12 : 16;
  const infoSector = isFat32 ? boot.getUint16(48, true) : 0;
  return {
    image,
    bits,
    tables: tablesOf(boot, isFat32, firstTable, tableBytes),
    fixedRoot: isFat32 ? undefined : { start: rootStart, size: boot.getUint16(17, true) * 32 },
    rootCluster: isFat32 ? boot.getUint32(44, true) : 0,
    dataStart,
    clusterBytes,
    clusterEnd: clusters + 2,
    infoStart: infoSector > 0 && infoSector < 0xffff ? start + infoSector * sectorBytes : undefined,
    label: text(boot, isFat32 ? 71 : 43, 11).trim(),
  };
}

const totalSectors = (boot: DataView) => boot.getUint16(19, true) || boot.getUint32(32, true);

/** All copies. If FAT32 says that they are no copies of each other, only the one that is in use. */
function tablesOf(boot: DataView, isFat32: boolean, first: number, size: number): Region[] {
  const tables = Array.from({ length: boot.getUint8(16) }, (_, index) => ({
    start: first + index * size,
    size,
  }));
  const flags = isFat32 ? boot.getUint16(40, true) : 0;
  const isMirrored = (flags & 0x80) === 0;
  const active = tables[flags & 0x0f];
  return isMirrored || !active ? tables : [active];
}

function assertWithin(volume: Volume, partition: Region, boot: DataView): void {
  const { bits, clusterEnd, tables, dataStart, clusterBytes } = volume;
  const end = dataStart + (clusterEnd - 2) * clusterBytes;
  const tableBytes = Math.ceil((clusterEnd * bits) / 8);
  const isSound =
    clusterEnd > 2 &&
    end <= partition.start + partition.size &&
    tables.every(({ size }) => size >= tableBytes);
  if (isSound) return;
  throw new EditError(
    "damaged",
    `The FAT file system says that it has ${totalSectors(boot)} sectors, which do not fit its partition or its tables`,
  );
}

function text(view: DataView, at: number, length: number): string {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, length));
}
