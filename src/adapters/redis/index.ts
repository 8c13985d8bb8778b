/**
 * A store in Redis, over `ioredis`: one binary string a key.
 *
 * @module balena-image-manager/adapters/redis
 */
import { Buffer } from "node:buffer";
import { eachOf } from "../../core/each.ts";
import type { StoreDriver, StoreReadOptions } from "../../core/types.ts";
import { assertNotEverything, bytesOf, keyPrefixer, prefixOfLevel, textOf } from "../values.ts";
import { createConnection } from "./connection.ts";
import { lifetimeMs } from "./expiry.ts";
import { listKeys } from "./list.ts";
import { checkedOptions, type RedisAdapterOptions } from "./options.ts";

export type { RedisClient } from "./client.ts";
export type { RedisAdapterOptions };

// Deletions on their way at once: enough to fill the connection, and no heap of a million promises.
const deletionsAtOnce = 1000;

// Redis itself takes no larger one, unless it is told to.
const largestValueBytes = 512 * 1024 * 1024;

/**
 * Keeps values in Redis (or Valkey, KeyDB, …), single or as a cluster, which any number of processes may share. A client that it
 * makes itself connects with the first call and keeps the process alive until `dispose`; a client that is given is never closed.
 *
 * Values are binary, so chunks cost their own size, by default 1 MiB. Under `maxmemory` with eviction, an evicted chunk is
 * fetched again when it is wanted. Reads and writes that are under way together are pipelined on the one connection.
 *
 * Calls reject when the server is gone, refuses them or takes too long. No error carries a password or a value.
 *
 * @throws `INVALID_ARGUMENT` for options that are wrong or exclude each other. A call rejects with it when `ioredis` is not
 *   installed, and when the server is one node of a cluster that was not given as a `cluster`.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
 * import { redisAdapter } from "balena-image-manager/adapters/redis";
 *
 * const storage = redisAdapter({ url: "redis://localhost:6379/2", expireAfterMs: 30 * 24 * 60 * 60 * 1000 });
 * const images = createImageManager({ source: balenaSdkSource(), storage });
 * await images.prefetch("raspberrypi4-64", "recommended");
 * await images.close();
 * await storage.dispose();
 * ```
 */
export function redisAdapter(options: RedisAdapterOptions): StoreDriver & { dispose(): Promise<void> } {
  const { keyPrefix, maxValueBytes, expireAfterMs, ...server } = checkedOptions(options);
  const { send, receive, useWhole, close } = createConnection(server);
  const keyOf = keyPrefixer(keyPrefix);

  async function read(
    key: string,
    { maxBytes, onProgress }: StoreReadOptions = {},
  ): Promise<Uint8Array | null> {
    const isBounded = maxBytes !== undefined && maxBytes < largestValueBytes;
    // One byte more than there may be tells that there are too many.
    const value = isBounded
      ? await receive(onProgress, "GETRANGE", keyOf(key), "0", String(maxBytes))
      : await receive(onProgress, "GET", keyOf(key));
    if (value === null) return null;
    // Copied: ioredis cuts its buffers out of larger ones, which it goes on to use.
    const bytes = new Uint8Array(value as Buffer);
    // A range of nothing is what Redis answers for a key that is not there.
    return isBounded && (bytes.length === 0 || bytes.length > maxBytes) ? null : bytes;
  }

  async function write(key: string, value: unknown, ...conditions: string[]): Promise<unknown> {
    const { buffer, byteOffset, byteLength } = bytesOf(value);
    // A view: ioredis would write out any other array as text.
    const view = Buffer.from(buffer, byteOffset, byteLength);
    return send("SET", keyOf(key), view, ...(await expiryOf(keyOf(key))), ...conditions);
  }

  async function expiryOf(fullKey: string): Promise<string[]> {
    if (expireAfterMs === undefined) return [];
    const left = () => send("PTTL", fullKey).then(Number);
    return ["PX", String(await lifetimeMs(fullKey, expireAfterMs, left))];
  }

  async function list(prefix: string): Promise<string[]> {
    const start = keyOf(prefix);
    const keys = await useWhole(start, (client) => listKeys(client, start));
    return keys.map((key) => key.slice(keyPrefix.length));
  }

  const remove = (key: string) => send("UNLINK", keyOf(key));

  return {
    name: "redis",
    capabilities: { maxValueBytes, completeListing: true, tellsProgress: true },
    hasItem: async (key) => (await send("EXISTS", keyOf(key))) === 1,
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    setItem: async (key, text) => void (await write(key, text)),
    setItemRaw: async (key, value) => void (await write(key, value)),
    removeItem: async (key) => void (await remove(key)),
    // Every key that begins with the text given; unstorage may leave it out.
    getKeys: (prefix) => list(prefix ?? ""),
    async clear(level) {
      const prefix = prefixOfLevel(level ?? "");
      assertNotEverything(keyOf(prefix));
      const keys = await list(prefix);
      await eachOf(keys, remove, deletionsAtOnce);
    },
    dispose: close,
    createIfAbsent: async (key, bytes) => ((await write(key, bytes, "NX")) === "OK" ? "created" : "exists"),
  };
}
