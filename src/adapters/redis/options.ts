/** Checks the options of `redisAdapter` and fills in the defaults. */
import type { RedisOptions } from "ioredis";
import { InvalidArgumentError } from "../../core/errors.ts";
import { checkedKeyPrefix } from "../values.ts";
import type { RedisClient } from "./client.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
/** Beyond 2^31 a timer fires at once. */
const maxTimerMs = 2 ** 31 - 1;
/** Far beyond any use, and far from where Redis refuses a sum. */
const maxExpiryMs = 2 ** 42;

/** Options of {@link redisAdapter}: a ready client, or how to make one. */
export type RedisAdapterOptions = RedisStoreOptions & (RedisClientOptions | RedisServerOptions);

/**
 * What is kept, and how.
 *
 * @inline
 */
export interface RedisStoreOptions {
  /** Text put before every key, for example `images:`. Default: none. */
  keyPrefix?: string | undefined;
  /** Largest value, and so the chunk size unless a smaller one is asked for. Default 1 MiB; 256 KiB to 512 MiB. */
  maxValueBytes?: number | undefined;
  /**
   * Milliseconds until an image expires, counted from its commit; using it, pinning it or finding it fresh does not prolong
   * that. Its chunks go a day later, and broken-off transfers after 12 hours. Default: nothing expires; at least 60,000.
   */
  expireAfterMs?: number | undefined;
}

/**
 * A client of the caller's, who also closes it. How long its calls may take is set on it.
 *
 * @inline
 */
export interface RedisClientOptions {
  /** A `Redis` or `Cluster` of ioredis. Its own `keyPrefix` is respected. */
  client: RedisClient;
  url?: undefined;
  connection?: undefined;
  timeoutMs?: undefined;
}

/**
 * How to make a client. At least one of `url` and `connection` is needed.
 *
 * @inline
 */
export interface RedisServerOptions {
  client?: undefined;
  /** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. */
  url?: string | undefined;
  /** Options for ioredis, beside the URL or instead of it: TLS, sentinels, a socket's path, … */
  connection?: RedisOptions | undefined;
  /** How long connecting, and each command, may take. Default 30,000; a whole number from 1. */
  timeoutMs?: number | undefined;
}

/** Where the store is. */
export type RedisServer =
  | { readonly client: RedisClient }
  | { readonly url: string | undefined; readonly connection: RedisOptions; readonly timeoutMs: number };

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and its range, but no URL. */
export function checkedOptions(options: RedisAdapterOptions) {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError('redisAdapter needs a "client" or a "url"');
  const { keyPrefix, maxValueBytes, expireAfterMs } = options;
  return {
    ...serverOf(options),
    keyPrefix: checkedKeyPrefix(keyPrefix),
    maxValueBytes: inRange("maxValueBytes", maxValueBytes ?? MiB, 256 * KiB, 512 * MiB),
    expireAfterMs:
      expireAfterMs === undefined ? undefined : inRange("expireAfterMs", expireAfterMs, 60_000, maxExpiryMs),
  };
}

function serverOf({ client, url, connection, timeoutMs }: RedisAdapterOptions): RedisServer {
  if (client !== undefined) {
    if (url !== undefined || connection !== undefined || timeoutMs !== undefined)
      throw new InvalidArgumentError('"client" excludes "url", "connection" and "timeoutMs"');
    if (typeof client?.call !== "function" || typeof client.callBuffer !== "function")
      throw new InvalidArgumentError('"client" must be a Redis or Cluster of ioredis');
    return { client };
  }
  if (url === undefined && connection === undefined)
    throw new InvalidArgumentError('redisAdapter needs a "client", a "url" or a "connection"');
  if (typeof (connection ?? {}) !== "object")
    throw new InvalidArgumentError('"connection" must be an object');
  return {
    url: url === undefined ? undefined : checkedUrl(url),
    connection: connection ?? {},
    timeoutMs: inRange("timeoutMs", timeoutMs ?? 30_000, 1, maxTimerMs),
  };
}

function checkedUrl(url: unknown): string {
  // It may hold a password: the message must not quote it.
  if (typeof url === "string" && /^rediss?:\/\//i.test(url) && URL.canParse(url)) return url;
  throw new InvalidArgumentError('"url" must be a URL that begins with redis:// or rediss://');
}

function inRange(name: string, value: unknown, min: number, max: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number;
  throw new InvalidArgumentError(`"${name}" must be a whole number from ${min} to ${max}`);
}
