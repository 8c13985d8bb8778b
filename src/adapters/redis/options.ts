/** Checks the options of `redisAdapter` and fills in the defaults. */
import type { RedisOptions } from "ioredis";
import { checkedInteger, checkedKeyPrefix, checkedObject, requireOption } from "../values.ts";
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
  /**
   * A `Redis` or `Cluster` of ioredis. Its own `keyPrefix` is respected. A `Redis` that is connected to one node of a cluster is
   * refused with `INVALID_ARGUMENT` by the first call.
   */
  client: RedisClient;
  url?: undefined;
  cluster?: undefined;
  connection?: undefined;
  timeoutMs?: undefined;
}

/**
 * How to make a client. One of `url`, `cluster` and `connection` is needed.
 *
 * @inline
 */
export interface RedisServerOptions {
  client?: undefined;
  /**
   * `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. One node of a cluster is refused with
   * `INVALID_ARGUMENT` by the first call: it knows only a part of the keys.
   */
  url?: string | undefined;
  /**
   * A Redis Cluster: URLs of some of its nodes, by which the others are found. All name the same user, password and kind
   * (`redis:` or `rediss:`), and no database. For more (address translation, say) make a `Cluster` and pass it as `client`.
   */
  cluster?: readonly string[] | undefined;
  /** Options for ioredis, beside the URLs or instead of one: TLS, sentinels, a socket's path, … */
  connection?: RedisOptions | undefined;
  /**
   * How long connecting may take, and how long a command may wait while nothing moves on the connection, in milliseconds. Default
   * 30,000; a whole number from 1.
   */
  timeoutMs?: number | undefined;
}

/** Where the store is. */
export type RedisServer = { readonly client: RedisClient } | OwnServer;

/** A server that we make a client for: at a URL, of a cluster, or where `connection` says. */
export interface OwnServer {
  readonly url: string | undefined;
  readonly cluster: readonly ClusterNode[] | undefined;
  readonly connection: RedisOptions;
  readonly timeoutMs: number;
}

/** A node by which others are found. */
export interface ClusterNode {
  readonly host: string;
  readonly port: number;
  /** How to log in there, and at all others. */
  readonly login: Pick<RedisOptions, "username" | "password" | "tls">;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and its range, but no URL. */
export function checkedOptions(options: RedisAdapterOptions) {
  const { keyPrefix, maxValueBytes = MiB, expireAfterMs } = checkedObject("redisAdapter", options);
  return {
    ...serverOf(options),
    keyPrefix: checkedKeyPrefix(keyPrefix),
    maxValueBytes: checkedInteger("maxValueBytes", maxValueBytes, 256 * KiB, 512 * MiB),
    expireAfterMs:
      expireAfterMs === undefined
        ? undefined
        : checkedInteger("expireAfterMs", expireAfterMs, 60_000, maxExpiryMs),
  };
}

/** What must not show up in an error, as it is written in the URLs and as it is meant. */
export function secretsOf({ url, cluster, connection }: OwnServer): string[] {
  const inUrl = url === undefined ? "" : new URL(url).password;
  const inCluster = cluster?.[0]?.login.password ?? "";
  const { password, sentinelPassword } = connection;
  const secrets = [
    inUrl,
    decoded(inUrl),
    inCluster,
    encodeURIComponent(inCluster),
    password,
    sentinelPassword,
  ];
  return secrets.filter((secret): secret is string => Boolean(secret));
}

function serverOf({ client, url, cluster, connection, timeoutMs }: RedisAdapterOptions): RedisServer {
  if (client !== undefined) {
    const isAlone = [url, cluster, connection, timeoutMs].every((option) => option === undefined);
    requireOption(isAlone, '"client" excludes "url", "cluster", "connection" and "timeoutMs"');
    const isClient = typeof client?.call === "function" && typeof client.callBuffer === "function";
    requireOption(isClient, '"client" must be a Redis or Cluster of ioredis');
    return { client };
  }
  const isGiven = [url, cluster, connection].some((option) => option !== undefined);
  requireOption(isGiven, 'redisAdapter needs a "client", a "url", a "cluster" or a "connection"');
  requireOption(url === undefined || cluster === undefined, '"cluster" excludes "url"');
  requireOption(typeof (connection ?? {}) === "object", '"connection" must be an object');
  return {
    url: url === undefined ? undefined : checkedUrl("url", url),
    cluster: cluster === undefined ? undefined : checkedCluster(cluster),
    connection: connection ?? {},
    timeoutMs: checkedInteger("timeoutMs", timeoutMs ?? 30_000, 1, maxTimerMs),
  };
}

function checkedCluster(cluster: unknown): ClusterNode[] {
  const isList = Array.isArray(cluster) && cluster.length > 0;
  requireOption(isList, '"cluster" must be a list of URLs of some of its nodes');
  const urls = (cluster as unknown[]).map((url) => new URL(checkedUrl("cluster", url)));
  const loginOf = ({ protocol, username, password }: URL) => [protocol, username, password].join();
  const isOneLogin = urls.every((url) => loginOf(url) === loginOf(urls[0]!));
  requireOption(isOneLogin, 'all URLs of "cluster" must name the same user, password and kind');
  const isWhole = urls.every(({ pathname }) => /^\/?0?$/.test(pathname));
  requireOption(isWhole, '"cluster" has one database: its URLs must not name another one');
  return urls.map(nodeOf);
}

function nodeOf({ protocol, username, password, hostname, port }: URL): ClusterNode {
  const login = {
    ...(username && { username: decoded(username) }),
    ...(password && { password: decoded(password) }),
    ...(protocol === "rediss:" && { tls: {} }),
  };
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 6379), login };
}

function checkedUrl(name: string, url: unknown): string {
  // It may hold a password: the message must not quote it.
  const isFit = typeof url === "string" && /^rediss?:\/\//i.test(url) && URL.canParse(url);
  requireOption(isFit, `"${name}" must be a URL that begins with redis:// or rediss://`);
  return url as string;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
