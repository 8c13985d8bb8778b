/** SHA-256 in worker threads: `crypto.subtle` copies what it hashes, on the main thread, which there costs more than the rest of a hit. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { webHash } from "../../core/digest.ts";
import { foreignError } from "../../core/foreign-error.ts";
import type { HashedBytes } from "../../core/types.ts";

// More would only wait for the disk or the network.
const maxThreads = Math.min(4, availableParallelism());
/** A thread has next to nothing on its heap; without limits Node keeps 16 MiB and more for it. */
const resourceLimits = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 };
/** Below, a message to a thread costs more than hashing. */
const minBytes = 64 * 1024;

const threads = new Set<HashThread>();
let areThreadsAvailable = true;

/**
 * Hashes for the manager's `hash` option, in up to four worker threads that all managers of the process share. They are started
 * when there is first something to hash, and keep no process alive.
 *
 * The buffer is moved to a thread and back, so the bytes come back in another one. What can't be moved (a part of a larger buffer,
 * say), and everything where threads are not to be had, is hashed by `crypto.subtle`.
 *
 * @throws An `Error` where a thread dies over it; the bytes are lost then. The manager fetches them again.
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
export async function nodeHash(bytes: Uint8Array<ArrayBuffer>): Promise<HashedBytes> {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength;
  const thread = isWhole && bytes.length >= minBytes ? leastBusy() : undefined;
  return (await thread?.hash(bytes)) ?? webHash(bytes);
}

function leastBusy(): HashThread | undefined {
  const idle = [...threads].reduce<HashThread | undefined>(
    (best, thread) => (best && best.load <= thread.load ? best : thread),
    undefined,
  );
  if (idle && (idle.load === 0 || threads.size >= maxThreads)) return idle;
  return startThread() ?? idle;
}

/** Without threads, as under Node's permission model, there is another way to hash. */
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

// As text, so that it works from any bundle. Flags and preloads of the process are not for it.
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

/** One thread. It answers in the order in which it is asked. */
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

  /** Hashes under way. */
  get load(): number {
    return this.#waiting.length;
  }

  /** `undefined` where the buffer can't be moved. */
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
