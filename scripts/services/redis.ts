// A real redis-server on loopback, in memory only.
import { mkdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Daemon, freePort, isAlive, settles, startDaemon } from "./daemon.ts";
import type { Requirement } from "./install.ts";

/** What it needs. */
export const redisRequirements: Requirement[] = [
  { program: "redis-server", packages: ["redis-server"] },
  { program: "redis-cli", packages: ["redis-tools"] },
  { program: "redis-sentinel", packages: ["redis-sentinel"] },
  { program: "openssl", packages: ["openssl"] }, // certificates of the tests
];

/** A running server. */
export interface RedisService {
  readonly url: string;
  readonly daemons: Daemon[];
}

/**
 * Starts one, and waits until it answers.
 *
 * @param directory - Its working directory; made if missing.
 * @param settings - Further settings as on its command line, for example `["--maxmemory", "32mb"]`.
 * @param port - Default: one that is free. The same again is how a test restarts a server.
 */
export async function startRedis(
  directory: string,
  settings: readonly string[] = [],
  port?: number,
): Promise<RedisService> {
  mkdirSync(directory, { recursive: true });
  const ownPort = port ?? (await freePort());
  const address = ["--bind", "127.0.0.1", "--port", String(ownPort)];
  const inMemory = ["--save", "", "--appendonly", "no", "--dir", directory];
  const log = join(directory, "redis.log");
  // The port is in its arguments and in the title that it gives itself.
  const daemon = startDaemon("redis-server", [...address, ...inMemory, ...settings], String(ownPort), log);
  const isUp = await settles(async () => !isAlive(daemon) || (await answersPing(ownPort)), 10_000);
  if (!isUp || !isAlive(daemon))
    throw new Error(`redis-server did not start: ${readFileSync(log, "utf8").slice(-500)}`);
  return { url: `redis://127.0.0.1:${ownPort}`, daemons: [daemon] };
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => void socket.write("PING\r\n"));
    const end = (isUp: boolean) => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once("data", (data) => end(data.toString().startsWith("+PONG")));
    socket.once("error", () => end(false));
    socket.setTimeout(1_000, () => end(false));
  });
}
