/** Opens a device for itself alone, around the page cache if that is possible. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { hasCode } from "../../fs/failure.ts";
import { type DeviceTarget, deviceError, deviceFailure } from "./device-target.ts";

/** The open files of a device. */
export interface DeviceFiles {
  /** Takes any length. It goes through the page cache, and each write waits for the device. */
  readonly buffered: FileHandle;
  /** Reads and writes whole pages of the device itself. `undefined` if the system has no such way. */
  readonly direct: FileHandle | undefined;
  close(): Promise<void>;
}

// Of raw files, which the kernel gives to any number of writers. By `DeviceTarget.key`.
const writing = new Set<string>();

/**
 * Opens it. A mounted device can't be had exclusively, so `isShared` gives that up.
 *
 * @throws {StoreError} `STORE`; its cause has the code `EBUSY` if somebody else is writing the device.
 */
export async function openDevice(target: DeviceTarget, isShared: boolean): Promise<DeviceFiles> {
  const { name, key } = target;
  if (writing.has(key)) throw busy(name);
  writing.add(key);
  const handles: FileHandle[] = [];
  const close = async () => {
    writing.delete(key);
    await Promise.all(handles.map((handle) => handle.close().catch(() => {}))); // of a device that fails
  };
  try {
    const exclusive = target.isBlockDevice && !isShared ? constants.O_EXCL : 0;
    const buffered = await open(target.path, constants.O_RDWR | (constants.O_DSYNC ?? 0) | exclusive);
    handles.push(buffered);
    const direct = await openDirect(target.path);
    if (direct) handles.push(direct);
    return { buffered, direct, close };
  } catch (cause) {
    await close();
    throw hasCode(cause, "EBUSY") ? busy(name) : deviceFailure(name, cause);
  }
}

/** Some file systems know no such way, and some systems no such flag. */
function openDirect(path: string): Promise<FileHandle | undefined> {
  const { O_DIRECT = 0, O_RDWR } = constants as { O_DIRECT?: number; O_RDWR: number };
  return O_DIRECT === 0 ? Promise.resolve(undefined) : open(path, O_RDWR | O_DIRECT).catch(() => undefined);
}

function busy(name: string) {
  return deviceError(name, "another program is writing it, or it is part of a volume or a RAID", "EBUSY");
}
