/**
 * A store in this process's memory, for tests and short-lived processes. It is also the model for a new store adapter.
 *
 * @module balena-image-manager/adapters/memory
 */
import type { CreateResult, StoreDriver } from "../../core/types.ts";
import { bytesOf, prefixOfLevel, textOf } from "../store-values.ts";
import { checkedOptions, type MemoryAdapterOptions } from "./options.ts";

export type { MemoryAdapterOptions };

/**
 * Creates a store that keeps values in memory until `dispose` or the end of the process. It copies values when it writes and reads them.
 *
 * @throws `INVALID_ARGUMENT` if `maxBytes` is not a whole number from 0. A write that exceeds `maxBytes` rejects with `ENOSPC`.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 *
 * const images = createImageManager({ source: balenaApiSource(), storage: memoryAdapter({ maxBytes: 2 ** 30 }) });
 * await images.prefetch("raspberrypi4-64", "recommended");
 * ```
 */
export function memoryAdapter(options: MemoryAdapterOptions = {}): StoreDriver {
  const values = createValues(checkedOptions(options).maxBytes);
  return {
    name: "memory",
    capabilities: { completeListing: true },
    hasItem: async (key) => values.has(key),
    getItem: async (key) => textOf(values.get(key)),
    getItemRaw: async (key, { maxBytes } = {}) => values.get(key, maxBytes),
    setItem: async (key, text) => values.set(key, copyOf(text)),
    setItemRaw: async (key, value) => values.set(key, copyOf(value)),
    removeItem: async (key) => values.delete(key),
    // Every key that begins with the given text. unstorage may leave it out.
    getKeys: async (base) => values.keys(base ?? ""),
    clear: async (base) => values.keys(prefixOfLevel(base ?? "")).forEach(values.delete),
    dispose: async () => values.keys("").forEach(values.delete),
    createIfAbsent: async (key, bytes): Promise<CreateResult> => {
      // There is no await between the check and the write, so no other call can run between them.
      if (values.has(key)) return "exists";
      values.set(key, copyOf(bytes));
      return "created";
    },
  };
}

function createValues(maxBytes: number) {
  const values = new Map<string, Uint8Array>();
  let usedBytes = 0;
  const sizeOf = (key: string) => values.get(key)?.byteLength ?? 0;
  return {
    has: (key: string) => values.has(key),
    keys: (prefix: string) => [...values.keys()].filter((key) => key.startsWith(prefix)),
    get(key: string, maxBytes = Number.POSITIVE_INFINITY): Uint8Array | null {
      const bytes = values.get(key);
      return bytes === undefined || bytes.length > maxBytes ? null : new Uint8Array(bytes);
    },
    set(key: string, bytes: Uint8Array): void {
      const nextBytes = usedBytes - sizeOf(key) + bytes.byteLength;
      if (nextBytes > maxBytes) throw noSpace(maxBytes, nextBytes);
      usedBytes = nextBytes;
      values.set(key, bytes);
    },
    delete(key: string): void {
      usedBytes -= sizeOf(key);
      values.delete(key);
    },
  };
}

function noSpace(maxBytes: number, neededBytes: number): Error {
  const message = `The memory store is full: it would need ${neededBytes} bytes, but "maxBytes" is ${maxBytes}`;
  return Object.assign(new Error(message), { code: "ENOSPC" });
}

/** Uses the constructor, because `slice` of a Node `Buffer` shares its memory. */
function copyOf(value: unknown): Uint8Array {
  return new Uint8Array(bytesOf(value));
}
