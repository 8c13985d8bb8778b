/** Checks the options of `writeImage` and fills in the defaults. */
import { bounds } from "../../../core/bounds.ts";
import { InvalidArgumentError } from "../../../core/errors.ts";
import type { GetOptions, Progress } from "../../../core/types.ts";

/** How far one device has come. Each phase counts from 0 to 100 %. */
export interface DeviceProgress extends Progress {
  /** The device, as it was given to {@link writeImage}. */
  device: string;
  /** `writing` counts bytes of the image that are on the device, `verifying` bytes that were read back. */
  phase: "writing" | "verifying";
}

/** Options of {@link writeImage}: options of `get`, and how to write the device. `range` and `waitUntil` are not allowed. */
export interface WriteImageOptions extends Omit<GetOptions, "range" | "waitUntil" | "onProgress"> {
  /**
   * What to do with runs of 64 KiB or more of zeros. `write` writes them. `skip` leaves on the device what is there, and does not verify it:
   * use it only if the device reads as zeros, for example after `blkdiscard -z`. Default `write`.
   */
  zeros?: "write" | "skip" | undefined;
  /** Read everything back and compare it. Default `true`. */
  verify?: boolean | undefined;
  /**
   * Also write to a device that is mounted, or has a mounted partition, or is used for swap. Whatever uses the device then works on
   * destroyed data. It also gives up the exclusive use of the device. Default `false`.
   */
  allowMounted?: boolean | undefined;
  /** Also write to the disk that the running system is on. Default `false`. */
  allowSystemDisk?: boolean | undefined;
  /** Milliseconds after which a call to a device that has not answered counts as failed. A whole number from 1. Default 120,000. */
  deviceTimeoutMs?: number | undefined;
  /** Called for each device after each block of 4 MiB. Errors that it throws are ignored. Default: none. */
  onProgress?: ((progress: DeviceProgress) => void) | undefined;
}

/** The options with defaults, separated from those of `get`. */
export interface CheckedWriteOptions {
  readonly get: Omit<GetOptions, "onProgress">;
  readonly allowMounted: boolean;
  readonly allowSystemDisk: boolean;
  readonly deviceTimeoutMs: number;
  readonly isVerified: boolean;
  readonly isZeroSkipped: boolean;
  readonly onProgress: WriteImageOptions["onProgress"];
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option. Those of `get` are checked there. */
export function checkedWriteOptions(options: WriteImageOptions): CheckedWriteOptions {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options must be an object");
  const { zeros = "write", verify = true, allowMounted = false, allowSystemDisk = false, ...rest } = options;
  const { deviceTimeoutMs = 120_000, onProgress, ...get } = rest;
  for (const [name, value] of Object.entries({ verify, allowMounted, allowSystemDisk })) {
    if (typeof value !== "boolean") throw new InvalidArgumentError(`"${name}" must be true or false`);
  }
  if (zeros !== "write" && zeros !== "skip")
    throw new InvalidArgumentError('"zeros" must be "write" or "skip"');
  if (!Number.isInteger(deviceTimeoutMs) || deviceTimeoutMs < 1 || deviceTimeoutMs > bounds.timerMs)
    throw new InvalidArgumentError(`"deviceTimeoutMs" must be a whole number from 1 to ${bounds.timerMs}`);
  if (onProgress !== undefined && typeof onProgress !== "function")
    throw new InvalidArgumentError('"onProgress" must be a function');
  for (const name of ["range", "waitUntil"]) {
    if (name in get) throw new InvalidArgumentError(`"${name}" is not allowed: the whole image is written`);
  }
  return {
    ...{ get, allowMounted, allowSystemDisk, deviceTimeoutMs, onProgress },
    isVerified: verify,
    isZeroSkipped: zeros === "skip",
  };
}
