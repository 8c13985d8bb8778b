/** Checks the options of `redisAdapter` and fills in the defaults. */
import { checkedInteger, checkedKeyPrefix, checkedObject, requireOption } from "../store-values.ts";
import { checkedClient, type RedisClient } from "./client.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
/** A timer of 2^31 ms or more fires at once. */
const maxTimerMs = 2 ** 31 - 1;
/** Far more than anyone needs, and far below the number at which Redis refuses a sum. */
const maxExpiryMs = 2 ** 42;

/** Options of {@link redisAdapter}: either a ready client, or the server to connect to. */
export type RedisAdapterOptions = RedisStoreOptions & (RedisClientOptions | RedisServerOptions);

/**
 * How values are stored.
 *
 * @inline
 */
export interface RedisStoreOptions {
  /** Text before every key, for example `images:`. Default: none. */
  keyPrefix?: string | undefined;
  /** Bytes of the largest value: 256 KiB to 512 MiB. It also limits the size of chunks. Default 1 MiB. */
  maxValueBytes?: number | undefined;
  /**
   * Milliseconds after which a stored image expires: at least 60,000. The time starts when the image is stored. Using, pinning or
   * revalidating the image does not extend it. Chunks expire a day later, and broken transfers after 12 hours. Default: nothing expires.
   */
  expireAfterMs?: number | undefined;
}

/**
 * Your own client. You set its time limits, and you close it.
 *
 * @inline
 */
export interface RedisClientOptions {
  /**
   * A `Redis` or `Cluster` of ioredis. A client of node-redis (the package `redis`) is refused with `INVALID_ARGUMENT`: pass its `url`
   * instead. The client's own `keyPrefix` is respected. If a `Redis` is connected to one node of a cluster, the first call
   * rejects with `INVALID_ARGUMENT`.
   */
  client: RedisClient;
  url?: undefined;
  cluster?: undefined;
  connection?: undefined;
  timeoutMs?: undefined;
}

/**
 * The server to connect to. One of `url`, `cluster` and `connection` is required.
 *
 * @inline
 */
export interface RedisServerOptions {
  client?: undefined;
  /**
   * `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. If the server is one node of a cluster, the first call rejects
   * with `INVALID_ARGUMENT`, because the node knows only a part of the keys.
   */
  url?: string | undefined;
  /**
   * URLs of some nodes of a Redis Cluster. The other nodes are found through them. All URLs must have the same user, password and scheme
   * (`redis:` or `rediss:`), and no database. If you need more, such as address translation, make a `Cluster` and pass it as `client`.
   */
  cluster?: readonly string[] | undefined;
  /** More options for ioredis: TLS, sentinels, the path of a socket and so on. They may also replace the URL. Default: none. */
  connection?: RedisConnection | undefined;
  /**
   * Milliseconds that connecting may take, and that a command may wait while no byte moves on the connection. A whole number from 1.
   * Default 30,000.
   */
  timeoutMs?: number | undefined;
}

/** Options of a connection: all that the constructor of ioredis takes. These are the usual ones. */
export interface RedisConnection {
  /** Host name or address of the server. */
  host?: string | undefined;
  /** Port of the server. */
  port?: number | undefined;
  /** Path of a Unix socket, in place of host and port. */
  path?: string | undefined;
  /** Number of the database. */
  db?: number | undefined;
  /** User name. */
  username?: string | undefined;
  /** Password of the user or the server. */
  password?: string | undefined;
  /** Options of TLS, as `tls.connect` of Node takes them. */
  tls?: object | undefined;
  /** Addresses of the sentinels that know the server. */
  sentinels?:
    | {
        /** Host name or address. */
        host?: string | undefined;
        /** Default 26379. */
        port?: number;
      }[]
    | undefined;
  /** Password of the sentinels. */
  sentinelPassword?: string | undefined;
  /** Name of the group that the sentinels watch. */
  name?: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: `RedisOptions` of ioredis, an interface, fits no other index signature.
  [option: string]: any;
}

/** Where the store is. */
export type RedisServer = { readonly client: RedisClient } | OwnServer;

/** A server that the adapter connects to by itself. */
export interface OwnServer {
  readonly url: string | undefined;
  readonly cluster: readonly ClusterNode[] | undefined;
  readonly connection: RedisConnection;
  readonly timeoutMs: number;
}

/** A node of a cluster, through which the other nodes are found. */
export interface ClusterNode {
  readonly host: string;
  readonly port: number;
  /** The login of this node and of all others. */
  readonly login: Pick<RedisConnection, "username" | "password" | "tls">;
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

/** Texts that must not appear in an error: passwords as they are, and as URLs encode them. */
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
    return { client: checkedClient(client) };
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
  requireOption(isOneLogin, 'all URLs of "cluster" must have the same user, password and scheme');
  const isWhole = urls.every(({ pathname }) => /^\/?0?$/.test(pathname));
  requireOption(isWhole, 'a cluster has only database 0: the URLs of "cluster" must not name another one');
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
