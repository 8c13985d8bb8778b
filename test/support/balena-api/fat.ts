// Formats a small FAT12 or FAT16 file system and puts files into it, as a pure function: what a boot partition begins with.
import { attributes, createDirectory, type Directory, entryBytes } from "./fat-directory.ts";

/** What a file system holds. */
export interface FatContents {
  /** Volume label, at most 11 characters. */
  readonly label: string;
  /** Files by path, at most one directory deep; `""` makes an empty one. */
  readonly files: Readonly<Record<string, string>>;
  /** One more file, in the root, whose bytes lie outside of the head: it ends at this byte of the partition. */
  readonly filler: { readonly name: string; readonly end: number };
}

const sectorBytes = 512; // and bytes of a cluster: a small partition wastes nothing
const rootEntries = 128;
const spareClusters = 32; // free, ahead of the filler: who adds a file finds room without a search
const lastFat12Clusters = 4084;

/** The first bytes of a partition: boot sector, tables, directories and small files; the filler begins where they end. */
export function formatFat(partitionBytes: number, { label, files, filler }: FatContents): Uint8Array {
  const layout = layOutVolume(partitionBytes);
  const volume = createVolume(layout);
  const root = volume.directory();
  const directories = new Map<string, Directory>();
  root.add(label, attributes.label, 0, 0);
  for (const [path, text] of Object.entries(files)) {
    const [, parent, name] = /^(?:(.+)\/)?(.+)$/.exec(path)!;
    volume.writeFile(parent === undefined ? root : directoryOf(parent), name!, Buffer.from(text));
  }
  const start = volume.skip(spareClusters);
  const bytes = filler.end - start;
  root.add(filler.name, attributes.file, volume.allocate(Math.ceil(bytes / sectorBytes)), bytes);
  for (const [name, { cluster, bytes: content }] of directories) {
    root.add(name, attributes.directory, cluster!, 0);
    volume.place(cluster!, content);
  }
  return volume.head(bootSector(layout, label), root.bytes, start);

  function directoryOf(name: string): Directory {
    if (!directories.has(name)) directories.set(name, volume.subdirectory());
    return directories.get(name)!;
  }
}

interface VolumeLayout {
  readonly sectors: number;
  readonly tableSectors: number;
  /** Bits of a table's entry. */
  readonly bits: 12 | 16;
  readonly dataStart: number;
}

function layOutVolume(partitionBytes: number): VolumeLayout {
  const sectors = Math.floor(partitionBytes / sectorBytes);
  const fixed = 1 + (rootEntries * entryBytes) / sectorBytes;
  const bits = sectors - fixed > lastFat12Clusters + 24 ? 16 : 12; // 24: the tables of a FAT12 at its largest
  const tableSectors = Math.ceil(((sectors + 2) * bits) / 8 / sectorBytes);
  return { sectors, tableSectors, bits, dataStart: (fixed + 2 * tableSectors) * sectorBytes };
}

function createVolume(layout: VolumeLayout) {
  const table = new Uint8Array(layout.tableSectors * sectorBytes);
  const placed: { cluster: number; bytes: Uint8Array }[] = [];
  let next = 2;
  const link = (cluster: number, value: number) => setEntry(table, layout.bits, cluster, value);
  link(0, 0xff8 | (layout.bits === 16 ? 0xf000 : 0));
  link(1, 0xffff);

  const allocate = (clusters: number) => {
    const first = next;
    next += clusters;
    for (let at = first; at < next; at++) link(at, at + 1 < next ? at + 1 : 0xffff);
    return first;
  };
  const place = (cluster: number, bytes: Uint8Array) => placed.push({ cluster, bytes });
  const offsetOf = (cluster: number) => layout.dataStart + (cluster - 2) * sectorBytes;
  return {
    allocate,
    place,
    /** Leaves clusters free; gives the offset of the next one. */
    skip(clusters: number): number {
      next += Math.min(clusters, Math.floor(layout.sectors / 8));
      return offsetOf(next);
    },
    writeFile(parent: Directory, name: string, content: Uint8Array): void {
      const cluster = content.length === 0 ? 0 : allocate(Math.ceil(content.length / sectorBytes));
      if (cluster > 0) place(cluster, content);
      parent.add(name, attributes.file, cluster, content.length);
    },
    directory: () => createDirectory(undefined, rootEntries),
    subdirectory(): Directory {
      return createDirectory(allocate(1), sectorBytes / entryBytes);
    },
    head(boot: Uint8Array, root: Uint8Array, bytes: number): Uint8Array {
      const out = new Uint8Array(bytes);
      out.set(boot);
      for (const copy of [0, 1]) out.set(table, sectorBytes + copy * table.length);
      out.set(root, sectorBytes + 2 * table.length);
      for (const { cluster, bytes: content } of placed) out.set(content, offsetOf(cluster));
      return out;
    },
  };
}

function setEntry(table: Uint8Array, bits: 12 | 16, cluster: number, value: number): void {
  const view = new DataView(table.buffer);
  const isOdd = cluster % 2 === 1;
  const at = bits === 16 ? 2 * cluster : cluster + (cluster >> 1); // 12 bits: two entries in three bytes
  const kept = bits === 16 ? 0 : view.getUint16(at, true) & (isOdd ? 0x000f : 0xf000);
  const placed = bits === 16 ? value : (value & 0xfff) << (isOdd ? 4 : 0);
  view.setUint16(at, kept | placed, true);
}

function bootSector({ sectors, tableSectors, bits }: VolumeLayout, label: string): Uint8Array {
  const boot = Buffer.alloc(sectorBytes);
  boot.write("\xeb\x3c\x90mkfs.fat", 0, "latin1");
  boot.writeUInt16LE(sectorBytes, 11);
  boot.writeUInt8(1, 13); // sectors of a cluster
  boot.writeUInt16LE(1, 14); // reserved: this one
  boot.writeUInt8(2, 16); // tables
  boot.writeUInt16LE(rootEntries, 17);
  if (sectors < 0x1_0000) boot.writeUInt16LE(sectors, 19);
  else boot.writeUInt32LE(sectors, 32);
  boot.writeUInt8(0xf8, 21); // media: a fixed disk, as the first table entry says too
  boot.writeUInt16LE(tableSectors, 22);
  boot.writeUInt16LE(32, 24); // sectors of a track
  boot.writeUInt16LE(64, 26); // heads
  boot.writeUInt8(0x80, 36); // drive
  boot.writeUInt8(0x29, 38); // the next three fields are there
  boot.writeUInt32LE(0xba1e_7a05, 39);
  boot.write(label.toUpperCase().padEnd(11), 43, "latin1");
  boot.write(`FAT${bits}   `, 54, "latin1");
  boot.writeUInt16LE(0xaa55, 510);
  return boot;
}
