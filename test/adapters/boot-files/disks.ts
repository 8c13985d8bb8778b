// Disks around a FAT volume, and what the tests do with them: edit them, and read them with balena's own reader.
import { promisify } from "node:util";
import { interact } from "balena-image-fs";
import { BufferDisk } from "file-disk";
import type { BootFile, BootFilesOptions } from "../../../src/adapters/boot-files/index.ts";
import { bootFiles } from "../../../src/adapters/boot-files/index.ts";
import type { ImageSpan } from "../../../src/core/types.ts";
import list from "./volumes.json" with { type: "json" };

const MiB = 1024 * 1024;
const sectorBytes = 512;

/** An empty file system, as mkfs.fat makes it. */
export interface Volume {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Every volume that there is. */
export const volumes: readonly Volume[] = list.map(({ name, bytes, sectors }) => {
  const volume = new Uint8Array(bytes);
  for (const [sector, text] of Object.entries(sectors))
    volume.set(Buffer.from(text, "base64"), Number(sector) * sectorBytes);
  return { name, bytes: volume };
});

/** The one of that name. */
export function volume(name: string): Uint8Array {
  return volumes.find((candidate) => candidate.name === name)!.bytes.slice();
}

/** A disk with one primary partition, number 1. */
export function mbrDisk(volume: Uint8Array): Uint8Array {
  const disk = new Uint8Array(MiB + volume.length);
  disk.set(volume, MiB);
  writeRecord(disk, 0, [{ type: 0x0c, start: MiB, size: volume.length }]);
  return disk;
}

/** A disk whose second logical partition, number 6, holds the volume. */
export function logicalDisk(volume: Uint8Array): Uint8Array {
  const disk = new Uint8Array(4 * MiB + volume.length);
  disk.set(volume, 4 * MiB);
  writeRecord(disk, 0, [
    { type: 0x83, start: MiB, size: MiB },
    { type: 0x0f, start: 2 * MiB, size: 2 * MiB + volume.length },
  ]);
  writeRecord(disk, 2 * MiB, [
    { type: 0x83, start: 2 * MiB + 4096, size: 4096, from: 2 * MiB },
    { type: 0x05, start: 3 * MiB, size: MiB + volume.length, from: 2 * MiB },
  ]);
  writeRecord(disk, 3 * MiB, [{ type: 0x0c, start: 4 * MiB, size: volume.length, from: 3 * MiB }]);
  return disk;
}

/** A disk with a GUID partition table; the volume is partition 2. */
export function gptDisk(volume: Uint8Array): Uint8Array {
  const disk = new Uint8Array(2 * MiB + volume.length + MiB);
  disk.set(volume, 2 * MiB);
  writeRecord(disk, 0, [{ type: 0xee, start: sectorBytes, size: disk.length - sectorBytes }]);
  const header = new DataView(disk.buffer, sectorBytes);
  disk.set(new TextEncoder().encode("EFI PART"), sectorBytes);
  header.setBigUint64(72, 2n, true);
  header.setUint32(80, 128, true);
  header.setUint32(84, 128, true);
  writeGptEntry(disk, 0, "loader", MiB, MiB);
  writeGptEntry(disk, 1, "resin-boot", 2 * MiB, volume.length);
  return disk;
}

interface RecordPartition {
  readonly type: number;
  readonly start: number;
  readonly size: number;
  /** What its start is counted from. */
  readonly from?: number;
}

function writeRecord(disk: Uint8Array, at: number, partitions: readonly RecordPartition[]): void {
  const record = new DataView(disk.buffer, at, sectorBytes);
  for (const [index, { type, start, size, from = 0 }] of partitions.entries()) {
    record.setUint8(446 + 16 * index + 4, type);
    record.setUint32(446 + 16 * index + 8, (start - from) / sectorBytes, true);
    record.setUint32(446 + 16 * index + 12, size / sectorBytes, true);
  }
  record.setUint16(510, 0xaa55, true);
}

function writeGptEntry(disk: Uint8Array, index: number, name: string, start: number, size: number): void {
  const entry = new DataView(disk.buffer, 2 * sectorBytes + 128 * index, 128);
  entry.setBigUint64(0, 0x4433221155667788n, true);
  entry.setBigUint64(32, BigInt(start / sectorBytes), true);
  entry.setBigUint64(40, BigInt((start + size) / sectorBytes - 1), true);
  for (const [place, letter] of [...name].entries())
    entry.setUint16(56 + 2 * place, letter.charCodeAt(0), true);
}

/** The spans of an edit. */
export function spansOf(
  disk: Uint8Array,
  files: Readonly<Record<string, BootFile>>,
  options?: BootFilesOptions,
): Promise<readonly ImageSpan[]> {
  const { signal } = new AbortController();
  return bootFiles(
    files,
    options,
  )({
    size: disk.length,
    signal,
    read: async (start, end) => disk.slice(start, end),
  });
}

/** The disk with an edit laid over it. */
export async function edited(
  disk: Uint8Array,
  files: Readonly<Record<string, BootFile>>,
  options?: BootFilesOptions,
): Promise<Uint8Array> {
  const copy = disk.slice();
  for (const { start, bytes } of await spansOf(disk, files, options)) copy.set(bytes, start);
  return copy;
}

/** The same bytes: a reader needs no copy of them. */
const bufferOn = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);

/** What balena's own reader finds in a file of a partition. */
export function read(disk: Uint8Array, path: string, partition = 1): Promise<string> {
  return interact(new BufferDisk(bufferOn(disk)), partition, async (fs) => {
    const readFile = promisify(fs.readFile) as (path: string, options: object) => Promise<string>;
    return readFile(path, { encoding: "utf8", flag: "r" });
  });
}

/** What balena's own reader finds in a directory. */
export function listed(disk: Uint8Array, path: string, partition = 1): Promise<string[]> {
  return interact(new BufferDisk(bufferOn(disk)), partition, (fs) => promisify(fs.readdir)(path));
}
