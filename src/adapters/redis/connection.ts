/** One connection to Redis: a client of the caller's, or one of our own that is made when it is first needed. */
import type { Buffer } from "node:buffer";
import type { OwnClient, RedisClient } from "./client.ts";
import { redisFailure } from "./failure.ts";
import type { RedisServer } from "./options.ts";

type OwnServer = Exclude<RedisServer, { client: RedisClient }>;

/** Ways to use a client; what fails, fails without secrets. */
export interface Connection {
  send(reply: "text" | "buffer", command: string, ...args: (string | Buffer)[]): Promise<unknown>;
  use<T>(work: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Closes what it opened; calls after it reject. */
  close(): Promise<void>;
}

/** Makes one, without connecting. */
export function createConnection(server: RedisServer): Connection {
  const secrets = "client" in server ? [] : secretsOf(server);
  let opening: Promise<OwnClient> | undefined;
  let isClosed = false;
  /** Why the connection is down: ioredis tells it to listeners, and not to those whose commands fail. */
  let connectionError: Error | undefined;

  async function open(): Promise<RedisClient> {
    if ("client" in server) return server.client;
    if (isClosed) throw new Error("The Redis store was disposed");
    opening ??= makeClient(server).then((client) => {
      client.on("error", (error) => {
        connectionError = error;
      });
      client.on("ready", () => {
        connectionError = undefined;
      });
      return client;
    });
    return opening;
  }

  async function use<T>(work: (client: RedisClient) => Promise<T>): Promise<T> {
    const client = await open();
    try {
      return await work(client);
    } catch (error) {
      throw redisFailure(error, secrets, connectionError);
    }
  }

  return {
    use,
    send: (reply, command, ...args) =>
      use((client) =>
        reply === "buffer" ? client.callBuffer(command, ...args) : client.call(command, ...args),
      ),
    async close() {
      isClosed = true;
      // One that could not be made needs no closing.
      (await opening?.catch(() => undefined))?.disconnect();
    },
  };
}

async function makeClient({ url, connection, timeoutMs }: OwnServer): Promise<OwnClient> {
  const { Redis } = await importClient();
  const options = {
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // A broken connection fails the commands under way and those that wait for it, while the client goes on trying: a
    // transfer must hear of a server that restarted, for its chunks may be gone; and SET NX sent twice would miss its own win.
    maxRetriesPerRequest: 0,
    retryStrategy: (attempts: number) => Math.min(attempts * 50, 500),
    ...connection,
    // Else it would connect before anyone listens to its errors.
    lazyConnect: true,
  };
  return url === undefined ? new Redis(options) : new Redis(url, options);
}

async function importClient(): Promise<Pick<typeof import("ioredis"), "Redis">> {
  try {
    return await import("ioredis");
  } catch (cause) {
    throw new Error(
      'redisAdapter needs the package "ioredis", which could not be loaded: npm install ioredis',
      { cause },
    );
  }
}

/** What must not show up in an error, as it is written in the URL and as it is meant. */
function secretsOf({ url, connection }: OwnServer): string[] {
  const inUrl = url === undefined ? "" : new URL(url).password;
  const { password, sentinelPassword } = connection;
  return [inUrl, decoded(inUrl), password, sentinelPassword].filter((secret): secret is string =>
    Boolean(secret),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
