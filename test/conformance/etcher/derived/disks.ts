// Disk images of every kind that balenaOS has: FAT file systems by mkfs.fat, in partition tables by sfdisk.
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./tools.ts";

const MiB = 1024 * 1024;
const sectorBytes = 512;

/** How a boot partition is formatted. */
export interface Format {
  readonly name: string;
  readonly bytes: number;
  /** Of mkfs.fat. */
  readonly args: readonly string[];
}

/** Each kind of FAT, with small, usual and large clusters, and the sizes next to their limits. */
export const formats: readonly Format[] = [
  { name: "FAT12, 512 B clusters", bytes: 2 * MiB, args: ["-F12", "-s1"] },
  { name: "FAT12, 4 KiB clusters", bytes: 8 * MiB, args: ["-F12", "-s8"] },
  { name: "FAT12, 32 KiB clusters", bytes: 64 * MiB, args: ["-F12", "-s64"] },
  { name: "FAT16, 512 B clusters", bytes: 16 * MiB, args: ["-F16", "-s1"] },
  { name: "FAT16, 2 KiB clusters", bytes: 40 * MiB, args: ["-F16", "-s4"] },
  { name: "FAT16, 8 KiB clusters", bytes: 128 * MiB, args: ["-F16", "-s16"] },
  { name: "FAT16, as mkfs.fat likes it", bytes: 40 * MiB, args: [] },
  { name: "FAT32, 512 B clusters", bytes: 40 * MiB, args: ["-F32", "-s1"] },
  { name: "FAT32, 4 KiB clusters", bytes: 260 * MiB, args: ["-F32", "-s8"] },
];

/** The format of a Raspberry Pi's boot partition. */
export const usualFormat = formats[4]!;

/** A partition table, as sfdisk is told it. `boot` stands for the boot partition. */
export interface Layout {
  readonly name: string;
  /** Number of the boot partition, counted as Linux does. */
  readonly number: number;
  readonly table: (bootSectors: number) => string;
  /** Bytes beside the boot partition. */
  readonly otherBytes: number;
}

/** Partition tables. */
export const layouts: readonly Layout[] = [
  {
    name: "one partition",
    number: 1,
    table: (sectors) => `label: dos\nstart=2048, size=${sectors}, type=c, bootable\n`,
    otherBytes: 2 * MiB,
  },
  {
    name: "a Raspberry Pi's",
    number: 1,
    table: (sectors) => {
      const after = (mebibytes: number) => 8192 + sectors + mebibytes * 2048;
      return [
        ...["label: dos", `start=8192, size=${sectors}, type=c, bootable`],
        ...[`start=${after(0)}, size=8192, type=83`, `start=${after(4)}, size=8192, type=83`],
        ...[`start=${after(8)}, type=f`, `start=${after(9)}, size=4096, type=83`],
        `start=${after(12)}, size=4096, type=83\n`,
      ].join("\n");
    },
    otherBytes: 24 * MiB,
  },
  {
    name: "a logical partition",
    number: 6,
    table: (sectors) =>
      `label: dos\nstart=2048, size=4096, type=83\nsize=4096, type=83\nsize=4096, type=83\ntype=5\nsize=4096, type=83\nsize=${sectors}, type=c\n`,
    otherBytes: 24 * MiB,
  },
  {
    name: "a PC's (GPT)",
    number: 1,
    table: (sectors) =>
      `label: gpt\nstart=8192, size=${sectors}, type=U, name="resin-boot"\nsize=8192, type=L, name="resin-rootA"\nsize=8192, type=L, name="resin-rootB"\nsize=4096, type=L, name="resin-state"\nsize=4096, type=L, name="resin-data"\n`,
    otherBytes: 24 * MiB,
  },
];

/** The layout that every format is tried in. */
export const plainLayout = layouts[0]!;

/** A partition, or the gap before one. */
export interface Piece {
  /** `undefined` for a gap. */
  readonly number: number | undefined;
  readonly start: number;
  readonly end: number;
}

/** A disk image. */
export interface Disk {
  readonly bytes: Buffer;
  readonly pieces: readonly Piece[];
  readonly boot: Piece;
}

/** What a pristine boot partition has. */
export const ownConfig = { deviceType: "some-device", persistentLogging: true, localMode: false };

/** Makes a disk in a directory of its own. */
export function makeDisk(directory: string, format: Format, layout: Layout): Disk {
  const volume = makeVolume(directory, format);
  const path = join(directory, "disk.img");
  const size = Math.ceil((format.bytes + layout.otherBytes) / MiB) * MiB;
  writeFileSync(path, "");
  truncateSync(path, size);
  run("sfdisk", ["-q", path], layout.table(format.bytes / sectorBytes));
  const bytes = readFileSync(path);
  const pieces = piecesOf(path, size);
  const boot = pieces.find(({ number }) => number === layout.number)!;
  volume.copy(bytes, boot.start);
  // The other partitions have something in them, so that a byte that moves is seen.
  for (const { number, start, end } of pieces)
    if (number !== undefined && number !== layout.number)
      randomBytes(Math.min(end - start, MiB)).copy(bytes, start + 4096);
  return { bytes, pieces, boot };
}

/** A boot partition with files as balenaOS has them, two thirds full. */
function makeVolume(directory: string, { bytes, args }: Format): Buffer {
  const path = join(directory, "volume.img");
  writeFileSync(path, "");
  truncateSync(path, bytes);
  run("mkfs.fat", [...args, "-n", "RESIN-BOOT", path]);
  const tree = join(directory, "tree");
  for (const folder of ["system-connections", "splash"]) mkdirSync(join(tree, folder), { recursive: true });
  const files: Record<string, string | Uint8Array> = {
    "config.json": JSON.stringify(ownConfig),
    "device-type.json": JSON.stringify({ slug: "some-device" }),
    "system-connections/resin-sample.ignore": "[connection]\nid=resin-sample\n",
    "splash/balena-logo.png": randomBytes(20_000),
    "a kernel.img": randomBytes(Math.floor(bytes / 3)),
    "other.dtb": randomBytes(Math.floor(bytes / 4)),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(tree, name), content);
  run("mcopy", ["-s", "-i", path, ...Object.keys(files).flatMap(topLevel(tree)), "::"]);
  return readFileSync(path);
}

/** Directories are copied whole, once. */
function topLevel(tree: string): (name: string) => string[] {
  const seen = new Set<string>();
  return (name) => {
    const [top = name] = name.split("/");
    if (seen.has(top)) return [];
    seen.add(top);
    return [join(tree, top)];
  };
}

/** The pieces that balena cuts an image into: each partition and each gap. An extended partition is a gap. */
function piecesOf(path: string, size: number): Piece[] {
  const { partitiontable } = JSON.parse(run("sfdisk", ["-J", path]).toString());
  const { partitions } = partitiontable as {
    partitions: { node: string; start: number; size: number; type: string }[];
  };
  const found = partitions
    .filter(({ type }) => type !== "5" && type !== "f")
    .map(({ node, start, size: sectors }) => ({
      number: Number(node.slice(path.length)),
      start: start * sectorBytes,
      end: (start + sectors) * sectorBytes,
    }))
    .sort((a, b) => a.start - b.start);
  const pieces: Piece[] = [];
  let end = 0;
  for (const piece of found) {
    if (piece.start > end) pieces.push({ number: undefined, start: end, end: piece.start });
    pieces.push(piece);
    end = piece.end;
  }
  if (end < size) pieces.push({ number: undefined, start: end, end: size });
  return pieces;
}
