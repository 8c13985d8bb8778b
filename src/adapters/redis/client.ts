/** The part of an ioredis client (`Redis` or `Cluster`, of version 5 or 6) that the adapter uses. */
import type { Buffer } from "node:buffer";

/** A ready client. */
export interface RedisClient {
  call(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  callBuffer(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  /** Of a `Cluster`: its nodes. */
  nodes?(role: "master"): RedisClient[];
  readonly options?: { readonly keyPrefix?: string | undefined };
}

/** A client that is ours to close. */
export interface OwnClient extends RedisClient {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
  disconnect(): void;
}
