/** What Linux says about a block device in `/sys`: its size, and which other devices share its bytes. */
import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Where the kernel's facts are. Tests lay out other trees. */
export interface KernelFiles {
  readonly sys: string;
  readonly proc: string;
}

export const kernelFiles: KernelFiles = { sys: "/sys", proc: "/proc" };

/** A block device. Devices are named by their numbers, for example `8:16`. */
export interface BlockDeviceFacts {
  readonly sizeBytes: number;
  readonly isReadOnly: boolean;
  /** Devices that a write to this one changes: itself, its disk and partitions, and what is built on them. */
  readonly family: ReadonlySet<string>;
  /** The disks that hold the device's bytes. */
  readonly disks: ReadonlySet<string>;
}

/** Major and minor number, from `stat`. */
export function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}

/** `undefined` if the kernel does not know the device, as after it was unplugged. */
export async function blockDeviceFacts(
  files: KernelFiles,
  number: string,
): Promise<BlockDeviceFacts | undefined> {
  const directory = await directoryOf(files, number);
  if (directory === undefined) return undefined;
  const isPartition = (await textIn(directory, "partition")) !== undefined;
  const disk = isPartition ? [await textIn(dirname(directory), "dev")] : [];
  return {
    sizeBytes: Number(await textIn(directory, "size")) * 512, // whatever the device's own sectors are
    isReadOnly: (await textIn(directory, "ro")) === "1",
    family: new Set([...disk, ...(await above(directory))].filter((one) => one !== undefined)),
    disks: await disksOf(files, number),
  };
}

/** The disks under a device: of a partition its disk, of an encrypted or combined volume all that it lies on. */
export async function disksOf(files: KernelFiles, number: string): Promise<Set<string>> {
  const directory = await directoryOf(files, number);
  const disks = new Set<string>();
  if (directory !== undefined) await collectDisks(directory, disks);
  return disks;
}

/** Devices that a file is the content of, as with `losetup`. */
export async function loopsOver({ sys }: KernelFiles, path: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await entriesOf(join(sys, "block"))) {
    const directory = join(sys, "block", name);
    if (!name.startsWith("loop") || (await textIn(directory, "loop/backing_file")) !== path) continue;
    found.push(...(await above(directory)));
  }
  return found;
}

async function directoryOf({ sys }: KernelFiles, number: string): Promise<string | undefined> {
  return realpath(join(sys, "dev/block", number)).catch(() => undefined);
}

/** A device, its partitions, and all that is built on one of them. */
async function above(directory: string): Promise<string[]> {
  const number = await textIn(directory, "dev");
  const found = number === undefined ? [] : [number];
  for (const name of await entriesOf(directory)) {
    const inner = join(directory, name);
    if (name.startsWith(basename(directory)) && (await textIn(inner, "partition")) !== undefined)
      found.push(...(await above(inner)));
  }
  for (const holder of await entriesOf(join(directory, "holders")))
    found.push(...(await above(await realpath(join(directory, "holders", holder)))));
  return found;
}

async function collectDisks(directory: string, disks: Set<string>): Promise<void> {
  if ((await textIn(directory, "partition")) !== undefined) return collectDisks(dirname(directory), disks);
  const slaves = await entriesOf(join(directory, "slaves"));
  for (const slave of slaves) await collectDisks(await realpath(join(directory, "slaves", slave)), disks);
  const number = await textIn(directory, "dev");
  if (slaves.length === 0 && number !== undefined) disks.add(number);
}

async function textIn(directory: string, name: string): Promise<string | undefined> {
  const text = await readFile(join(directory, name), "utf8").catch(() => undefined);
  return text?.trim();
}

const entriesOf = (directory: string) => readdir(directory).catch((): string[] => []);
