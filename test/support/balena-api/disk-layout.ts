// Where everything lies in a generated disk image: the partition table, partitions, and free space (zeros).

/** A span of bytes, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A generated disk. */
export interface DiskLayout {
  readonly bytes: number;
  /** Boot, rootA, rootB, data. */
  readonly partitions: readonly Span[];
  /** Free space: the last fifth of each partition, all zero. */
  readonly holes: readonly Span[];
}

/** Bytes of a sector, as the partition table counts. */
export const sectorBytes = 512;

const pageBytes = 4096;
const holeShare = 0.2;
const ends = [0.1, 0.5, 0.9, 1];
const leastBootBytes = 32 * 1024; // a file system and its small files
const mostBootBytes = 16 * 1024 * 1024; // who configures an image packs its boot partition anew

/** Lays a disk out; from 32 MiB on partitions end at 4 MiB boundaries, so that whole 4 MiB chunks are free. */
export function layOut(bytes: number, holeFree: boolean): DiskLayout {
  const align = bytes >= 32 * 1024 * 1024 ? 4 * 1024 * 1024 : pageBytes;
  const aligned = (share: number) => Math.round((bytes * share) / align) * align;
  const bounds = [
    pageBytes,
    Math.min(mostBootBytes, Math.max(pageBytes + leastBootBytes, aligned(ends[0]!))),
    ...ends.slice(1).map((end) => (end === 1 ? bytes : aligned(end))),
  ];
  const partitions = ends.map((_, i) => ({ start: bounds[i]!, end: bounds[i + 1]! }));
  return { bytes, partitions, holes: holeFree ? [] : partitions.map(freeSpace) };
}

/** The first sector: a master boot record with its partition table. */
export function masterBootRecord({ partitions }: DiskLayout): Uint8Array {
  const record = new DataView(new ArrayBuffer(sectorBytes));
  partitions.forEach(({ start, end }, i) => {
    const entry = 446 + 16 * i;
    record.setUint8(entry, i === 0 ? 0x80 : 0);
    record.setUint8(entry + 4, i === 0 ? 0x0e : 0x83); // FAT for boot, Linux for the rest
    record.setUint32(entry + 8, start / sectorBytes, true);
    record.setUint32(entry + 12, Math.floor((end - start) / sectorBytes), true);
  });
  record.setUint16(510, 0xaa55, true);
  return new Uint8Array(record.buffer);
}

function freeSpace({ start, end }: Span): Span {
  const pages = Math.round(((end - start) * holeShare) / pageBytes);
  return { start: Math.max(start, Math.floor(end / pageBytes) * pageBytes - pages * pageBytes), end };
}
