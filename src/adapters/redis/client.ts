/** The part of an ioredis client (`Redis` or `Cluster`, of version 5 or 6) that the adapter uses. */
import type { Buffer } from "node:buffer";

/** A ready client: what the adapter uses of one by ioredis. */
export interface RedisClient {
  /** Sends a command; values come back as text. */
  call(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  /** Sends a command; values come back as a `Buffer`. */
  callBuffer(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  /** Of a `Cluster`: its nodes. */
  nodes?(role: "master" | "all"): RedisClient[];
  /** Of a `Cluster`: asks it again which nodes there are. */
  refreshSlotsCache?(): void;
  /** The socket, once there is one: how much went over it tells whether the connection gets on. */
  readonly stream?: {
    /** Bytes received. */
    readonly bytesRead?: number;
    /** Bytes given to be sent. */
    readonly bytesWritten?: number;
    /** Those of them that wait. */
    readonly writableLength?: number;
  };
  /** What it was made with. */
  readonly options?: {
    /** What ioredis puts before every key, and a scan has to put before its pattern itself. */
    readonly keyPrefix?: string | undefined;
  };
}

/** A client that is ours to close. */
export interface OwnClient extends RedisClient {
  readonly status: string;
  connect(): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
  once(event: "ready" | "end", listener: () => void): this;
  off(event: "ready" | "end", listener: () => void): this;
  disconnect(): void;
}
