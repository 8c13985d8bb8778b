// Judges a derived image: beside etcher-sdk's sector by sector, by fsck.vfat and mtools, and by balena's own reader.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { type Disk, ownConfig } from "./disks.ts";
import type { MadeImages } from "./makers.ts";
import { clustersOf, directoriesIn, filesIn, type Place, run } from "./tools.ts";

const sectorBytes = 512;

/** What is wrong; nothing if all is as it should be. */
export function faultsOf(directory: string, disk: Disk, made: MadeImages): string[] {
  const place = (name: string, bytes: Buffer): Place => {
    const file = join(directory, `${name}.img`);
    writeFileSync(file, bytes);
    return { file, start: disk.boot.start };
  };
  const [ours, etcher] = [place("ours", made.ours), place("etcher", made.etcher)];
  return [
    ...fileFaults(filesIn(ours), filesIn(etcher), made.sent),
    ...sectorFaults(disk, made, ours, etcher),
    ...textFaults(disk, made, place("replaced", made.replaced), etcher),
    ...fsckFaults(directory, disk, made.ours),
    ...readerFaults(ours, disk.boot.number!),
  ];
}

function fileFaults(
  ours: Map<string, Buffer>,
  etcher: Map<string, Buffer>,
  sent: Readonly<Record<string, unknown>>,
): string[] {
  const faults: string[] = [];
  const names = [...ours.keys()].sort();
  if (!isDeepStrictEqual(names, [...etcher.keys()].sort())) faults.push(`other files: ${names.join(", ")}`);
  for (const [name, content] of ours)
    if (name !== "/config.json" && !content.equals(etcher.get(name) ?? Buffer.alloc(0)))
      faults.push(`${name} has other content`);
  const config = JSON.parse(String(ours.get("/config.json")));
  if (!isDeepStrictEqual(config, { ...ownConfig, ...JSON.parse(JSON.stringify(sent)) }))
    faults.push("config.json is not the image's own keys with the sent ones over them");
  return faults;
}

/** No sector but those of tables, directories and changed files differs from the plain image, or from etcher-sdk's. */
function sectorFaults(disk: Disk, { ours, etcher }: MadeImages, ...places: Place[]): string[] {
  const mayDiffer = new Set(places.flatMap((place) => changeableSectors(disk, place)));
  const wrong: number[] = [];
  for (let at = 0; at < disk.bytes.length; at += sectorBytes) {
    if (mayDiffer.has(at / sectorBytes)) continue;
    const [plain, one, other] = [disk.bytes, ours, etcher].map((bytes) =>
      bytes.subarray(at, at + sectorBytes),
    ) as [Buffer, Buffer, Buffer];
    if (!one.equals(plain) || !other.equals(plain)) wrong.push(at / sectorBytes);
  }
  const sizes = [ours, etcher].every(({ length }) => length === disk.bytes.length);
  return [
    ...(sizes ? [] : ["another size"]),
    ...(wrong.length === 0 ? [] : [`sectors differ: ${wrong.slice(0, 10).join(", ")}`]),
  ];
}

/** Where `config.json` is a text that needs no new cluster, its sectors are those of etcher-sdk. */
function textFaults(disk: Disk, { replaced, etcher }: MadeImages, ...places: [Place, Place]): string[] {
  const [ours, theirs] = places.map((place) => clustersOf(place, "/config.json")) as [number[], number[]];
  if (theirs.length > 1) return [];
  const { dataStart, clusterSectors } = geometryOf(disk);
  const start = disk.boot.start + (dataStart + (theirs[0]! - 2) * clusterSectors) * sectorBytes;
  const end = start + clusterSectors * sectorBytes;
  const isEqual = replaced.subarray(start, end).equals(etcher.subarray(start, end));
  return ours[0] === theirs[0] && isEqual ? [] : ["config.json as a text is in other sectors, or other ones"];
}

/** Sectors within the partition. Names are those of Microsoft's specification. */
function geometryOf({ bytes, boot }: Disk) {
  const view = new DataView(bytes.buffer, bytes.byteOffset + boot.start, sectorBytes);
  const [tableStart, tables] = [view.getUint16(14, true), view.getUint8(16)];
  const isFat32 = view.getUint16(22, true) === 0;
  const tableSectors = isFat32 ? view.getUint32(36, true) : view.getUint16(22, true);
  const rootSectors = (view.getUint16(17, true) * 32) / sectorBytes;
  return {
    tableStart,
    dataStart: tableStart + tables * tableSectors + rootSectors,
    clusterSectors: view.getUint8(13),
    ...(isFat32 && { infoSector: view.getUint16(48, true), rootCluster: view.getUint32(44, true) }),
  };
}

/** Those of the tables, of FAT32's count of free clusters, of directories and of files that are written. */
function changeableSectors(disk: Disk, place: Place): number[] {
  const { tableStart, dataStart, clusterSectors, infoSector, rootCluster } = geometryOf(disk);
  const written = ["/config.json", "/system-connections/balena-wifi-01", "/copied.dtb"];
  const files = [...filesIn(place).keys()].filter((name) => written.includes(name));
  const clusters = [...directoriesIn(place), ...files].flatMap((path) => clustersOf(place, path));
  const sectors = [
    ...range(tableStart, dataStart),
    ...(infoSector === undefined ? [] : [infoSector]),
    ...[...clusters, ...(rootCluster === undefined ? [] : [rootCluster])].flatMap((cluster) => {
      const first = dataStart + (cluster - 2) * clusterSectors;
      return range(first, first + clusterSectors);
    }),
  ];
  return sectors.map((sector) => disk.boot.start / sectorBytes + sector);
}

/** What fsck.vfat complains of. */
export function fsckFaults(directory: string, { boot }: Pick<Disk, "boot">, ours: Buffer): string[] {
  const file = join(directory, "checked.img");
  writeFileSync(file, ours.subarray(boot.start, boot.end));
  const { status, stdout, stderr } = spawnSync("/usr/sbin/fsck.vfat", ["-n", "-v", file]);
  return status === 0 ? [] : [`fsck.vfat: ${stdout}${stderr}`];
}

/** balena's reader takes the process's uncaught exceptions, so it has a process of its own. */
function readerFaults({ file }: Place, partition: number): string[] {
  const script = fileURLToPath(new URL("read-config.ts", import.meta.url));
  const read = JSON.parse(run(process.execPath, [script, file, String(partition)]).toString()) as unknown;
  return isDeepStrictEqual(read, "object") ? [] : [`balena-image-fs reads ${JSON.stringify(read)}`];
}

const range = (start: number, end: number) =>
  Array.from({ length: end - start }, (_, index) => start + index);
