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

interface Candidate {
  readonly partition: Partition;
  readonly volume: Volume;
}

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
  const candidates = await fatAmong(image, partitions, likely);
  for (const { volume } of candidates) {
    const files = await FatFiles.open(volume);
    if (await files.read(["config.json"], maxConfigBytes)) return files;
  }
  const [first] = candidates;
  const chosen = first?.partition.number === likely ? first : candidates.find(isNamed);
  if (chosen) return FatFiles.open(chosen.volume);
  throw new EditError(
    "no-boot-partition",
    `None of the image's ${partitions.length} partitions is a FAT file system with a config.json, or one named ${bootNames[0]}`,
  );
}

/** The likely one comes first. */
async function fatAmong(
  image: PatchedImage,
  partitions: readonly Partition[],
  likely: number | undefined,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const partition of partitions) {
    const volume = await openVolume(image, partition);
    if (!volume) continue;
    if (partition.number === likely) candidates.unshift({ partition, volume });
    else candidates.push({ partition, volume });
  }
  return candidates;
}

const isNamed = ({ partition, volume }: Candidate) =>
  [partition.name, volume.label].some((name) => bootNames.includes(name?.toLowerCase() ?? ""));
