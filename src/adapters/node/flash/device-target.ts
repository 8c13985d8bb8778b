/** Checks a device before anything is written: what it is, whether it may be overwritten, and whether it is large enough. */
import { realpath, stat } from "node:fs/promises";
import { InvalidArgumentError, StoreError } from "../../../core/errors.ts";
import { foreignError, foreignMessage } from "../../../core/foreign-error.ts";
import { hasCode } from "../../fs/failure.ts";
import { assertTrusted } from "../save/target.ts";
import { type DeviceUse, deviceUses, systemDisks } from "./device-use.ts";
import { blockDeviceFacts, deviceNumber, type KernelFiles, kernelFiles, loopsOver } from "./linux-devices.ts";
import type { CheckedWriteOptions } from "./options.ts";

/** A device or raw file that may be written. */
export interface DeviceTarget {
  /** As the caller named it. */
  readonly name: string;
  /** Absolute, without links. */
  readonly path: string;
  readonly isBlockDevice: boolean;
  /** Tells two names of one device or file. */
  readonly key: string;
  /** Bytes that fit. A file grows. */
  readonly sizeBytes: number;
}

type Permissions = Pick<CheckedWriteOptions, "allowMounted" | "allowSystemDisk">;

/**
 * Looks at a device.
 *
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for what is no device and no file, and for what is in use.
 * @throws {StoreError} `STORE` for a device without a medium, or one that is write-protected.
 */
export async function checkedDevice(
  name: string,
  permissions: Permissions,
  files: KernelFiles = kernelFiles,
): Promise<DeviceTarget> {
  const { path, stats } = await located(name);
  const uses = await deviceUses(files);
  if (stats.isFile()) {
    assertUnused(name, new Set(await loopsOver(files, path)), uses, permissions);
    const key = `file ${stats.dev}:${stats.ino}`;
    return { name, path, isBlockDevice: false, key, sizeBytes: Number.POSITIVE_INFINITY };
  }
  if (!stats.isBlockDevice())
    throw new InvalidArgumentError(
      `"${name}" is not a block device and not a file, so no image can be on it`,
    );
  const number = deviceNumber(stats.rdev);
  const facts = await blockDeviceFacts(files, number);
  if (!facts) throw unknownToKernel(name);
  const system = await systemDisks(files, uses);
  if (!permissions.allowSystemDisk && [...facts.disks].some((disk) => system.has(disk)))
    throw new InvalidArgumentError(
      `"${name}" is on the disk that this system runs from: choose another device, or pass allowSystemDisk: true to destroy the system`,
    );
  assertUnused(name, facts.family, uses, permissions);
  if (facts.sizeBytes === 0) throw deviceError(name, "there is no medium in it", "ENOMEDIUM");
  if (facts.isReadOnly) throw deviceError(name, "it is write-protected", "EROFS");
  return { name, path, isBlockDevice: true, key: `device ${number}`, sizeBytes: facts.sizeBytes };
}

/** @throws {StoreError} `STORE` with the cause `ENOSPC`. */
export function assertFits({ name, sizeBytes }: DeviceTarget, imageBytes: number | undefined): void {
  if (imageBytes === undefined || imageBytes <= sizeBytes) return;
  throw deviceError(name, `the image has ${imageBytes} bytes, the device only ${sizeBytes}`, "ENOSPC");
}

/** A `STORE` error, with the system's code in its `cause`. */
export function deviceError(name: string, reason: string, code: string): StoreError {
  const cause = Object.assign(new Error(`${code}: ${reason}`), { code });
  return new StoreError(`The image can't be written to "${name}": ${reason}`, { cause: foreignError(cause) });
}

/** The same of a failed call. */
export function deviceFailure(name: string, cause: unknown): StoreError {
  return new StoreError(`The image can't be written to "${name}": ${foreignMessage(cause)}`, {
    cause: foreignError(cause),
  });
}

async function located(name: unknown) {
  if (typeof name !== "string" || name === "" || name.includes("\0"))
    throw new InvalidArgumentError("A device must be given as a path, for example /dev/sdb");
  await assertTrusted(name);
  try {
    const path = await realpath(name);
    return { path, stats: await stat(path, { bigint: true }) };
  } catch (cause) {
    // It is not created: a mistyped device would become a file that fills the memory.
    if (hasCode(cause, "ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"))
      throw new InvalidArgumentError(
        `There is no device or file "${name}": plug the device in; a raw file must exist (truncate --size 0 makes one)`,
        { cause },
      );
    throw deviceFailure(name, cause);
  }
}

function assertUnused(
  name: string,
  family: ReadonlySet<string>,
  uses: readonly DeviceUse[],
  { allowMounted }: Permissions,
): void {
  const places = [...new Set(uses.filter(({ device }) => family.has(device)).map(({ place }) => place))];
  if (allowMounted || places.length === 0) return;
  const use = places.map((place) => (place === "swap" ? "used for swap" : `mounted at ${place}`)).join(", ");
  throw new InvalidArgumentError(
    `"${name}" is ${use}: unmount it, or pass allowMounted: true to overwrite it nevertheless`,
  );
}

function unknownToKernel(name: string): Error {
  if (process.platform === "linux")
    return deviceError(name, "it was unplugged, or /sys is not mounted", "ENODEV");
  return new InvalidArgumentError(
    `"${name}" is a device, and only Linux tells whether a device is in use: save the image to a file and flash that`,
  );
}
