/**
 * A store in Redis. Each key is a binary string. It uses `ioredis`.
 *
 * @module balena-image-manager/adapters/redis
 */
import { Buffer } from "node:buffer";
import type { StoreDriver, StoreReadOptions } from "../../core/types.ts";
import {
  assertNotEverything,
  bytesOf,
  failedKeys,
  keyPrefixer,
  prefixOfLevel,
  textOf,
} from "../store-values.ts";
import { createConnection } from "./connection.ts";
import { lifetimeMs } from "./expiry.ts";
import { listKeys } from "./list.ts";
import { checkedOptions, type RedisAdapterOptions, type RedisConnection } from "./options.ts";

export type { RedisClient } from "./client.ts";
export type { RedisAdapterOptions, RedisConnection };

// Deletions at the same time: enough to keep the connection busy, without a million promises in memory.
const deletionsAtOnce = 1000;

// Redis accepts no larger value unless its configuration says so.
const largestValueBytes = 512 * 1024 * 1024;

/**
 * Creates a store in Redis, Valkey, KeyDB and the like: a single server or a cluster. Any number of processes may share it. The adapter's own
 * client connects with the first call and keeps the process alive until `dispose`. It never closes your client.
 *
 * Values are binary, so a chunk takes only its own size (1 MiB by default). If Redis evicts a chunk (`maxmemory`), the manager downloads it
 * again when it is needed. Simultaneous reads and writes are pipelined on one connection.
 *
 * A call rejects if the server is gone, refuses the call or takes too long. Errors contain no password and no value.
 *
 * @throws `INVALID_ARGUMENT` if options are wrong or exclude each other. A call rejects with it if `ioredis` is not installed, or if the
 *   server is one node of a cluster and you did not pass `cluster`.
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
    // One byte more than allowed shows that the value is too large.
    const value = isBounded
      ? await receive(onProgress, "GETRANGE", keyOf(key), "0", String(maxBytes))
      : await receive(onProgress, "GET", keyOf(key));
    if (value === null) return null;
    // A copy, because ioredis returns parts of larger buffers, which it uses again.
    const bytes = new Uint8Array(value as Buffer);
    // Redis answers an empty range if the key does not exist.
    return isBounded && (bytes.length === 0 || bytes.length > maxBytes) ? null : bytes;
  }

  async function write(key: string, value: unknown, ...conditions: string[]): Promise<unknown> {
    const { buffer, byteOffset, byteLength } = bytesOf(value);
    // A Buffer, because ioredis would send any other array as text.
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

  /** A command each, because a cluster refuses keys of several nodes in one. They are sent together, so all of them wait as long as one. */
  const removeAll = (keys: readonly string[]) => failedKeys(keys, remove, deletionsAtOnce);

  return {
    name: "redis",
    capabilities: { maxValueBytes, completeListing: true, tellsProgress: true },
    hasItem: async (key) => (await send("EXISTS", keyOf(key))) === 1,
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    setItem: async (key, text) => void (await write(key, text)),
    setItemRaw: async (key, value) => void (await write(key, value)),
    removeItem: async (key) => void (await remove(key)),
    // Every key that begins with the given text. unstorage may leave it out.
    getKeys: (prefix) => list(prefix ?? ""),
    async clear(level) {
      const prefix = prefixOfLevel(level ?? "");
      assertNotEverything(keyOf(prefix));
      const [failed] = await removeAll(await list(prefix));
      if (failed) throw failed.cause;
    },
    dispose: close,
    createIfAbsent: async (key, bytes) => ((await write(key, bytes, "NX")) === "OK" ? "created" : "exists"),
    removeItems: removeAll,
  };
}
