/**
 * A store in this process's memory: for tests, for short-lived processes, and as the model of what a store must do.
 *
 * @module balena-image-manager/adapters/memory
 */
import type { CreateResult, StoreDriver } from "../../core/types.ts";
import { bytesOf, prefixOfLevel, textOf } from "../values.ts";
import { checkedOptions, type MemoryAdapterOptions } from "./options.ts";

export type { MemoryAdapterOptions };

/**
 * Keeps values in memory; they end with the adapter. Values are copied on their way in and out.
 *
 * @throws `INVALID_ARGUMENT` when `maxBytes` is no whole number from 0.
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
    // Every key that begins with the text given; unstorage may leave it out.
    getKeys: async (base) => values.keys(base ?? ""),
    clear: async (base) => values.keys(prefixOfLevel(base ?? "")).forEach(values.delete),
    dispose: async () => values.keys("").forEach(values.delete),
    createIfAbsent: async (key, bytes): Promise<CreateResult> => {
      // No await between the question and the write, so nobody can come in between.
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
  const message = `The memory store may hold ${maxBytes} bytes, and this write would make it ${neededBytes}`;
  return Object.assign(new Error(message), { code: "ENOSPC" });
}

/** Copies by constructor: `slice` of a Node `Buffer` shares its memory. */
function copyOf(value: unknown): Uint8Array {
  return new Uint8Array(bytesOf(value));
}
