/**
 * One thread for each device. Its calls of the system block, so they must not be made by Node's four threads for files: a few slow cards
 * would occupy all of them, and nothing else could be read or written.
 */
import { Worker } from "node:worker_threads";
import type { Run } from "../save/data-runs.ts";
import { type DeviceTarget, deviceError, deviceFailure } from "./device-target.ts";
import type { DeviceFiles } from "./open-device.ts";

/** Bytes of an image for one place of the device. */
export interface Block {
  readonly index: number;
  /** Byte of the device that it begins at. */
  readonly position: number;
  /** Of memory that threads share, beginning at a page. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What of it is written. */
  readonly runs: readonly Run[];
}

/** What is on the device, as far as it must be known to compare it. */
export interface WrittenBlock extends Pick<Block, "index" | "position" | "runs"> {
  readonly length: number;
  /** SHA-256 of the runs. */
  readonly sha256: string;
}

/** Calls to a device, one after the other. */
export interface DeviceCalls {
  /** Writes zeros from the device's first byte on. */
  wipe(length: number): Promise<void>;
  write(block: Block): Promise<WrittenBlock>;
  /** SHA-256 of what the device has where a block was written. */
  read(block: WrittenBlock): Promise<string>;
  /** Waits until the device has everything. */
  sync(): Promise<void>;
  /** Ends the thread and closes the files. Settles when that is done, or at once if the device does not answer any more. */
  end(): Promise<void>;
}

// Of memory, of disks, and what direct calls must be aligned to.
const pageBytes = 4096;

// The code is text, so that it works in any bundle.
const script = `
  const { parentPort, workerData: { direct, buffered, pageBytes, blockBytes } } = require("node:worker_threads");
  const { readSync, writeSync, fsyncSync } = require("node:fs");
  const { createHash } = require("node:crypto");
  let page;
  // Memory of WebAssembly begins at a page, which direct calls need and buffers do not.
  const own = () => (page ??= new Uint8Array(new WebAssembly.Memory({ initial: blockBytes / 65536 }).buffer));
  const failed = (code, message) => Object.assign(new Error(code + ": " + message), { code });
  const part = (fd, bytes, start, end, position) => {
    for (let at = start; at < end; ) {
      const count = writeSync(fd, bytes, at, end - at, position + at);
      if (count === 0) throw failed("EIO", "the device takes no more bytes");
      at += count;
    }
  };
  const write = (bytes, start, end, position) => {
    const whole = direct === undefined ? start : start + Math.floor((end - start) / pageBytes) * pageBytes;
    if (whole > start) part(direct, bytes, start, whole, position);
    if (end > whole) part(buffered, bytes, whole, end, position);
  };
  const read = (bytes, length, position) => {
    const wanted = direct === undefined ? length : Math.ceil(length / pageBytes) * pageBytes;
    for (let at = 0; at < length; ) {
      const count = readSync(direct ?? buffered, bytes, at, wanted - at, position + at);
      if (count === 0) throw failed("EIO", "the device ends before the image");
      at += count;
    }
  };
  const sha256 = (bytes, runs) => {
    const hash = createHash("sha256");
    for (const { start, end } of runs) hash.update(bytes.subarray(start, end));
    return hash.digest("hex");
  };
  const calls = {
    wipe({ length }) { write(own().fill(0), 0, length, 0); },
    write({ bytes, runs, position }) {
      for (const { start, end } of runs) write(bytes, start, end, position);
      return sha256(bytes, runs);
    },
    read({ length, runs, position }) { read(own(), length, position); return sha256(own(), runs); },
    sync() { fsyncSync(buffered); },
  };
  parentPort.on("message", ({ call, ...what }) => {
    try {
      parentPort.postMessage({ result: calls[call](what) });
    } catch ({ message, code }) {
      parentPort.postMessage({ failure: { message, code } });
    }
  });`;

interface Answer {
  readonly result?: string;
  readonly failure?: { readonly message: string; readonly code?: string };
}

/** Starts the thread, which owns the files from then on. @throws {StoreError} `STORE` if threads are forbidden. */
export function startDeviceThread(
  target: DeviceTarget,
  { direct, buffered, close }: DeviceFiles,
  blockBytes: number,
  timeoutMs: number,
): DeviceCalls {
  const workerData = { direct: direct?.fd, buffered: buffered.fd, pageBytes, blockBytes };
  const worker = newWorker(target, workerData);
  let waiting: PromiseWithResolvers<string | undefined> | undefined;
  let isSilent = false;
  const fail = (cause: unknown) => waiting?.reject(deviceFailure(target.name, cause));
  worker.on("message", ({ result, failure }: Answer) => {
    if (failure) fail(Object.assign(new Error(failure.message), { code: failure.code }));
    else waiting?.resolve(result);
  });
  worker.on("error", fail).on("exit", () => fail(new Error("the thread ended")));

  const call = async (name: string, what: object = {}): Promise<string | undefined> => {
    waiting = Promise.withResolvers();
    const timer = setTimeout(() => {
      isSilent = true;
      waiting?.reject(silent(target, timeoutMs));
    }, timeoutMs);
    worker.postMessage({ call: name, ...what });
    return waiting.promise.finally(() => clearTimeout(timer));
  };

  return {
    wipe: async (length) => void (await call("wipe", { length })),
    async write({ index, position, bytes, runs }) {
      const sha256 = (await call("write", { position, bytes, runs })) as string;
      return { index, position, runs, length: bytes.length, sha256 };
    },
    read: async ({ length, runs, position }) => (await call("read", { length, runs, position })) as string,
    sync: async () => void (await call("sync")),
    async end() {
      // Not before the thread has ended: the number of a closed file may become another file's.
      const closed = worker.terminate().then(close);
      if (!isSilent) await closed;
    },
  };
}

/** Flags and preloads of the process are not for it. */
function newWorker({ name }: DeviceTarget, workerData: object): Worker {
  const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16, stackSizeMb: 1 };
  try {
    return new Worker(script, {
      eval: true,
      execArgv: [],
      resourceLimits,
      workerData,
      name: "balena-image-manager device",
    });
  } catch (cause) {
    throw deviceFailure(name, cause);
  }
}

const silent = ({ name }: DeviceTarget, timeoutMs: number) =>
  deviceError(name, `it has not answered for ${timeoutMs} ms`, "ETIMEDOUT");
