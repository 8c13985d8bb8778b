/** The connection to Redis: the caller's client, or our own client, which connects when it is first needed. */
import type { RedisOptions } from "ioredis";
import { missingPeer } from "../peer.ts";
import type { OwnClient, RedisClient } from "./client.ts";
import { assertNoClusterNode, untilReady } from "./cluster.ts";
import { hasRedisCode, redisFailure } from "./failure.ts";
import { type OwnServer, type RedisServer, secretsOf } from "./options.ts";
import { createSocketWatch, whileMoving } from "./progress.ts";

/** Ways to use a client. Their errors contain no secrets. */
export interface Connection {
  /** Sends a command about a key. */
  send(command: string, key: string, ...args: (string | number | Uint8Array)[]): Promise<unknown>;
  /** The same for one that answers with bytes. `onProgress` is told when the connection gets on. */
  receive(
    onProgress: (() => void) | undefined,
    command: string,
    key: string,
    ...args: (string | number | Uint8Array)[]
  ): Promise<unknown>;
  /** Does work that is wrong on a part of a store, below a prefix. */
  useWhole<T>(prefix: string, work: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Closes what it opened; calls after it reject. */
  close(): Promise<void>;
}

/** Makes one, without connecting. */
export function createConnection(server: RedisServer): Connection {
  const secrets = "client" in server ? [] : secretsOf(server);
  let opening: Promise<OwnClient> | undefined;
  let readying: Promise<void> | undefined;
  let checking: Promise<void> | undefined;
  let isClosed = false;
  /** Why the connection is down: ioredis tells it to listeners, and not to those whose commands fail. */
  let connectionError: Error | undefined;
  let current: RedisClient | undefined;
  const watch = createSocketWatch(() => current);
  const timeoutMs = "client" in server ? undefined : server.timeoutMs;

  async function open(): Promise<RedisClient> {
    if ("client" in server) return server.client;
    if (isClosed) throw new Error("The Redis store was disposed");
    opening ??= makeClient(server).then(listen);
    const client = await opening;
    if (server.cluster === undefined || client.status === "ready") return client;
    readying ??= untilReady(client, server.timeoutMs).finally(() => {
      readying = undefined;
    });
    await readying;
    return client;
  }

  function listen(client: OwnClient): OwnClient {
    client.on("error", (error) => {
      connectionError = error;
    });
    client.on("ready", () => {
      connectionError = undefined;
    });
    return client;
  }

  /** Asked once, by the first call, and again after a fault, which says nothing about the server. */
  function check(client: RedisClient, key: string): Promise<void> {
    checking ??= assertNoClusterNode(client, key).catch((error: unknown) => {
      checking = undefined;
      throw error;
    });
    return checking;
  }

  async function use<T>(
    key: string,
    work: (client: RedisClient) => Promise<T>,
    onProgress?: () => void,
  ): Promise<T> {
    try {
      const client = await open();
      current = client;
      const checked = async () => {
        await check(client, key);
        return work(client);
      };
      return await whileMoving(watch, timeoutMs, onProgress, checked());
    } catch (error) {
      throw redisFailure(error, secrets, connectionError);
    }
  }

  return {
    send: (command, key, ...args) => use(key, (client) => client.call(command, key, ...args)),
    receive: (onProgress, command, key, ...args) =>
      use(key, (client) => client.callBuffer(command, key, ...args), onProgress),
    useWhole(prefix, work) {
      // Another server may have come in the place of the one that was asked: a listing must not go wrong, and can wait.
      checking = undefined;
      return use(prefix, work);
    },
    async close() {
      isClosed = true;
      // A client that could not be made needs no closing.
      (await opening?.catch(() => undefined))?.disconnect();
    },
  };
}

async function makeClient(server: OwnServer): Promise<OwnClient> {
  const { Redis, Cluster } = await import("ioredis").catch(missingPeer("redisAdapter", "ioredis"));
  const { url, cluster, connection, timeoutMs } = server;
  const options = {
    connectTimeout: timeoutMs,
    // No commandTimeout: it counts from when a command was sent, and answers come in turn. See `whileMoving`.
    // A broken connection fails the commands under way and those that wait for it, while the client goes on trying: a
    // transfer must hear of a server that restarted, for its chunks may be gone; and SET NX sent twice would miss its own win.
    maxRetriesPerRequest: 0,
    retryStrategy: (attempts: number) => Math.min(attempts * 50, 500),
    // The master has become a replica, and this connection would stay with it: a new one finds the new master by name or sentinel.
    reconnectOnError: (error: Error) => hasRedisCode(error, "READONLY"),
    ...(connection as RedisOptions),
    // Else it would connect before anyone listens to its errors.
    lazyConnect: true,
  };
  if (cluster === undefined) return url === undefined ? new Redis(options) : new Redis(url, options);
  return new Cluster(
    cluster.map(({ host, port }) => ({ host, port })),
    {
      redisOptions: { ...cluster[0]?.login, ...options },
      lazyConnect: true,
      // As above: a command to a node that got lost fails, and is not sent again.
      retryDelayOnFailover: 0,
      // Else it hears of new nodes only when it is sent to one.
      slotsRefreshInterval: 5_000,
      slotsRefreshTimeout: timeoutMs,
    },
  );
}
