/** SHA-256 in worker threads. `crypto.subtle` copies its input on the main thread, which costs more than everything else of a cache hit. */
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { webHash } from "../../core/digest.ts";
import { foreignError } from "../../core/foreign-error.ts";
import type { HashedBytes, Hasher } from "../../core/types.ts";

// More threads would only wait for the disk or the network.
const maxThreads = Math.min(4, availableParallelism());
/** A thread needs almost no heap. Without limits Node reserves 16 MiB or more for it. */
const resourceLimits = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 };
/** For fewer bytes, a message to a thread costs more than hashing. */
const minBytes = 64 * 1024;

const threads = new Set<HashThread>();
let areThreadsAvailable = true;

/**
 * Computes SHA-256 in worker threads, for the manager's `hash` option. All managers of the process share up to four threads. They start
 * with the first hash and do not keep the process alive.
 *
 * The buffer is moved to a thread and back, so the result has the bytes in another buffer. `crypto.subtle` is used instead if the buffer
 * can't be moved (for example a part of a larger buffer), or if there are no threads. For the manager's option `sha256`, it hashes whole files
 * with `node:crypto`, on the main thread.
 *
 * @throws An `Error` if a thread dies. The bytes are then lost, and the manager downloads them again.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { fsAdapter } from "balena-image-manager/adapters/fs";
 * import { nodeHash, nodeInflate } from "balena-image-manager/node";
 *
 * const images = createImageManager({
 *   source: balenaApiSource(),
 *   storage: fsAdapter({ base: "./images" }),
 *   inflate: nodeInflate,
 *   hash: nodeHash,
 * });
 * await images.prefetch("raspberrypi4-64", "6.1.0");
 * ```
 */
export const nodeHash: Hasher = /* @__PURE__ */ Object.assign(hashChunk, { createSha256 });

async function hashChunk(bytes: Uint8Array<ArrayBuffer>): Promise<HashedBytes> {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength;
  const thread = isWhole && bytes.length >= minBytes ? leastBusy() : undefined;
  return (await thread?.hash(bytes)) ?? webHash(bytes);
}

function createSha256() {
  const hash = createHash("sha256");
  return { update: (bytes: Uint8Array) => hash.update(bytes), digest: () => hash.digest("hex") };
}

function leastBusy(): HashThread | undefined {
  const idle = [...threads].reduce<HashThread | undefined>(
    (best, thread) => (best && best.load <= thread.load ? best : thread),
    undefined,
  );
  if (idle && (idle.load === 0 || threads.size >= maxThreads)) return idle;
  return startThread() ?? idle;
}

/** Threads may be forbidden, for example by Node's permission model. `crypto.subtle` is used then. */
function startThread(): HashThread | undefined {
  if (!areThreadsAvailable) return undefined;
  try {
    const thread: HashThread = new HashThread(() => threads.delete(thread));
    threads.add(thread);
    return thread;
  } catch {
    areThreadsAvailable = false;
    return undefined;
  }
}

// The code is text, so that it works in any bundle. The thread ignores flags and preloads of the process.
const script = `
  const { parentPort } = require("node:worker_threads");
  const { hash } = require("node:crypto");
  parentPort.on("message", (buffer) => {
    parentPort.postMessage({ sha256: hash("sha256", new Uint8Array(buffer)), buffer }, [buffer]);
  });`;

interface Answer {
  readonly sha256: string;
  readonly buffer: ArrayBuffer;
}

/** One thread. It answers in the order of the requests. */
class HashThread {
  readonly #worker = new Worker(script, {
    ...{ eval: true, execArgv: [], resourceLimits, name: "balena-image-manager hash" },
  });
  readonly #waiting: PromiseWithResolvers<HashedBytes>[] = [];

  constructor(onGone: () => void) {
    const fail = (cause: unknown) => {
      onGone();
      const error = new Error("The thread that was hashing ended", { cause: foreignError(cause) });
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    };
    this.#worker.on("message", ({ sha256, buffer }: Answer) => {
      this.#waiting.shift()?.resolve({ sha256, bytes: new Uint8Array(buffer) });
      if (this.load === 0) this.#worker.unref();
    });
    this.#worker.on("error", fail).on("messageerror", fail).on("exit", fail).unref();
  }

  /** Number of unfinished hashes. */
  get load(): number {
    return this.#waiting.length;
  }

  /** `undefined` if the buffer can't be moved. */
  hash({ buffer }: Uint8Array<ArrayBuffer>): Promise<HashedBytes> | undefined {
    try {
      this.#worker.postMessage(buffer, [buffer]);
    } catch {
      return undefined;
    }
    this.#worker.ref(); // until it has answered
    const waiting = Promise.withResolvers<HashedBytes>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }
}
