/** Which devices are in use, and for what: mounts and swap, as Linux lists them. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { deviceNumber, disksOf, type KernelFiles } from "./linux-devices.ts";

/** One use of a device. */
export interface DeviceUse {
  /** Number of the device, for example `8:17`. */
  readonly device: string;
  /** Where it is mounted, or `swap`. */
  readonly place: string;
}

/** Places that the running system needs. What is swapped out belongs to it as well. */
const systemPlaces = new Set([
  ...["/", "/usr", "/boot", "/boot/efi", "/boot/firmware", "/efi", "/etc", "/var", "/nix", "/nix/store"],
  ...["/mnt/boot", "/mnt/state", "/mnt/data", "/mnt/sysroot/active", "/resin-boot", "swap"],
]);

/** All uses that this process can see. */
export async function deviceUses({ proc }: KernelFiles): Promise<DeviceUse[]> {
  const [own, initial, swaps] = await Promise.all([
    textOf(join(proc, "self/mountinfo")),
    // Of the whole system, if this process is in a container and may see it.
    textOf(join(proc, "1/mountinfo")),
    textOf(join(proc, "swaps")),
  ]);
  const listed = [...parseMounts(own), ...parseMounts(initial), ...parseSwaps(swaps)];
  const uses: DeviceUse[] = [];
  for (const { number, source, place } of listed) {
    // Btrfs and others have a number of their own there; their source is the device.
    const device = (await numberOf(source)) ?? number;
    if (device !== undefined) uses.push({ device, place });
  }
  return uses;
}

/** The disks that the running system is on. */
export async function systemDisks(files: KernelFiles, uses: readonly DeviceUse[]): Promise<Set<string>> {
  const disks = new Set<string>();
  for (const { device, place } of uses) {
    if (!systemPlaces.has(place)) continue;
    for (const disk of await disksOf(files, device)) disks.add(disk);
  }
  return disks;
}

interface Listed {
  readonly number?: string;
  readonly source: string;
  readonly place: string;
}

/** Lines of `mountinfo`: id, parent, number, root, place, options, optional fields, `-`, type, source, more options. */
export function parseMounts(text: string): Listed[] {
  return linesOf(text).flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const [, , number, , place] = left.split(" ");
    const source = right.split(" ")[1] ?? "";
    return number === undefined || place === undefined
      ? []
      : [{ number, source: plain(source), place: plain(place) }];
  });
}

/** The first line is a heading. A swap file needs no protection of its own: the kernel refuses to write to it. */
export function parseSwaps(text: string): Listed[] {
  return linesOf(text)
    .slice(1)
    .map((line) => ({ source: plain(line.split(/\s+/)[0] ?? ""), place: "swap" }));
}

const linesOf = (text: string) => text.split("\n").filter((line) => line !== "");

/** Blanks and backslashes are written as `\040`. */
const plain = (field: string) =>
  field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

async function numberOf(source: string): Promise<string | undefined> {
  if (!source.startsWith("/")) return undefined;
  const stats = await stat(source, { bigint: true }).catch(() => undefined);
  return stats?.isBlockDevice() ? deviceNumber(stats.rdev) : undefined;
}

const textOf = (path: string) => readFile(path, "utf8").catch(() => "");
