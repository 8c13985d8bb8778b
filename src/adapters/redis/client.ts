/** The part of an ioredis client (`Redis` or `Cluster`, of version 5 or 6) that the adapter uses. */
import { requireOption } from "../store-values.ts";

/** A ready client: the methods of ioredis that the adapter uses. */
export interface RedisClient {
  /** Sends a command and resolves with its answer as text. */
  call(command: string, ...args: (string | number | Uint8Array)[]): Promise<unknown>;
  /** Sends a command and resolves with its answer as a `Buffer`. */
  callBuffer(command: string, ...args: (string | number | Uint8Array)[]): Promise<unknown>;
  /** The nodes of a `Cluster`. Absent on a `Redis`. */
  nodes?(role: "master" | "all"): RedisClient[];
  /** Asks a `Cluster` for its nodes again. Absent on a `Redis`. */
  refreshSlotsCache?(): void;
  /** The socket, once there is one. Its counters show whether bytes move on the connection. */
  readonly stream?: {
    /** Bytes received. */
    readonly bytesRead?: number;
    /** Bytes given to the socket. */
    readonly bytesWritten?: number;
    /** Bytes of these that are not sent yet. */
    readonly writableLength?: number;
  };
  /** The options of the client. */
  readonly options?: {
    /** Text that ioredis puts before every key, but not before the pattern of a scan. */
    readonly keyPrefix?: string | undefined;
  };
}

/** A client that the adapter has made and must close. */
export interface OwnClient extends RedisClient {
  readonly status: string;
  connect(): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
  once(event: "ready" | "end", listener: () => void): this;
  off(event: "ready" | "end", listener: () => void): this;
  disconnect(): void;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` for a client of another package, with what to pass in its place. */
export function checkedClient(client: unknown): RedisClient {
  const has = (method: string) => typeof (client as Record<string, unknown> | null)?.[method] === "function";
  // node-redis has `sendCommand` as well, with other arguments, and no `call`.
  const isOfNodeRedis = has("sendCommand") && !has("call");
  requireOption(
    !isOfNodeRedis,
    '"client" is a client of node-redis (the package "redis"): pass a Redis or Cluster of ioredis, or the server as "url" or "cluster"',
  );
  requireOption(has("call") && has("callBuffer"), '"client" must be a Redis or Cluster of ioredis');
  return client as RedisClient;
}
