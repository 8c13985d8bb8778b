/** Finds the partition that holds `/config.json`, and opens its file system. */
import { EditError } from "../../core/errors.ts";
import { FatFiles } from "./fat/files.ts";
import { openVolume, type Volume } from "./fat/volume.ts";
import { type Partition, readPartitions } from "./partitions.ts";
import type { PatchedImage } from "./patched-image.ts";

/** What balenaOS calls its boot partition, as a FAT label or a GPT name. */
const bootNames = ["resin-boot", "flash-boot", "balena-boot"];
/** No config.json is near this size. */
const maxConfigBytes = 1024 * 1024;

/**
 * The files of the boot partition: of the one with that number, else of the one that holds a `config.json`, else of the one that bears
 * the name of a boot partition.
 *
 * @throws {EditError} `EDIT` (`no-boot-partition`, `damaged`).
 */
export async function openBootPartition(image: PatchedImage, number: number | undefined): Promise<FatFiles> {
  if (number === undefined) return findBootPartition(image);
  const partition = (await readPartitions(image)).find((candidate) => candidate.number === number);
  const volume = partition && (await openVolume(image, partition));
  if (volume) return FatFiles.open(volume);
  const reason = partition ? "is not a FAT file system" : "does not exist";
  throw new EditError("no-boot-partition", `Partition ${number}, which should have config.json, ${reason}`);
}

/**
 * As above, but the number is only what a device type says today: in an older image, the boot partition may be another one.
 *
 * @throws {EditError} `EDIT` (`no-boot-partition`, `damaged`).
 */
export async function findBootPartition(image: PatchedImage, likely?: number): Promise<FatFiles> {
  const partitions = await readPartitions(image);
  const isLikely = ({ number }: Partition) => number === likely;
  let named: Volume | undefined;
  // Most images need no look at more than one partition, which spares reading the others' chunks.
  for (const partition of [
    ...partitions.filter(isLikely),
    ...partitions.filter((other) => !isLikely(other)),
  ]) {
    const volume = await openVolume(image, partition);
    if (!volume) continue;
    const files = await FatFiles.open(volume);
    if (await files.read(["config.json"], maxConfigBytes)) return files;
    if (isLikely(partition) || isNamed(partition, volume)) named ??= volume;
  }
  if (named) return FatFiles.open(named);
  throw new EditError(
    "no-boot-partition",
    `None of the image's ${partitions.length} partitions is a FAT file system with a config.json, or one named ${bootNames[0]}`,
  );
}

const isNamed = (partition: Partition, volume: Volume) =>
  [partition.name, volume.label].some((name) => bootNames.includes(name?.toLowerCase() ?? ""));
