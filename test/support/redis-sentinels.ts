// A Redis with a replica, and sentinels that make the replica the master when the master is gone.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, freePort, settles, startDaemon, stopDaemon } from "../../scripts/services/daemon.ts";
import { startRedis } from "../../scripts/services/redis.ts";

/** Running servers and their sentinels. */
export interface TestSentinels {
  /** Name of the group that the sentinels watch. */
  readonly name: string;
  readonly sentinels: { host: string; port: number }[];
  /** URLs of the servers; the first is the master at the start. */
  readonly urls: string[];
  /** URL of the present master, by the word of a sentinel. */
  master(): string;
  /** Ends the master, at once and without a word. Fulfils when another server is the master. */
  killMaster(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts three sentinels over two servers. */
export async function startTestSentinels(): Promise<TestSentinels> {
  const directory = await mkdtemp(join(tmpdir(), "test-redis-sentinels-"));
  const name = "images-master";
  const first = await startRedis(join(directory, "0"));
  const port = new URL(first.url).port;
  const replica = ["--replicaof", "127.0.0.1", port, "--repl-diskless-sync-delay", "0"];
  const second = await startRedis(join(directory, "1"), replica);
  const servers = [first, second];
  const ports = [await freePort(), await freePort(), await freePort()];
  const daemons: Daemon[] = [];
  for (const own of ports) daemons.push(await startSentinel(directory, name, own, port));

  const ask = (at: number, ...args: string[]) =>
    execFileSync("redis-cli", ["-p", String(at), ...args], { encoding: "utf8" }).trim();
  const master = () =>
    `redis://${ask(ports[0]!, "sentinel", "get-master-addr-by-name", name).split("\n").join(":")}`;
  const isReady = () =>
    ports.every((at) => {
      const seen = ask(at, "sentinel", "master", name).split("\n");
      const fact = (field: string) => seen[seen.indexOf(field) + 1];
      return fact("num-slaves") === "1" && fact("num-other-sentinels") === "2";
    });
  if (!(await settles(isReady, 30_000))) throw new Error("The sentinels did not find each other");
  return {
    name,
    sentinels: ports.map((at) => ({ host: "127.0.0.1", port: at })),
    urls: servers.map(({ url }) => url),
    master,
    async killMaster() {
      const before = master();
      for (const { pid } of servers.find(({ url }) => url === before)?.daemons ?? [])
        process.kill(pid, "SIGKILL");
      if (!(await settles(() => master() !== before, 30_000))) throw new Error("There was no failover");
    },
    async stop() {
      await Promise.all([...daemons, ...servers.flatMap((server) => server.daemons)].map(stopDaemon));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function startSentinel(
  directory: string,
  name: string,
  port: number,
  masterPort: string,
): Promise<Daemon> {
  const file = join(directory, `sentinel-${port}.conf`);
  await writeFile(
    file,
    `bind 127.0.0.1
port ${port}
dir ${directory}
sentinel monitor ${name} 127.0.0.1 ${masterPort} 2
sentinel down-after-milliseconds ${name} 500
sentinel failover-timeout ${name} 3000
`,
  );
  // The sentinel has its port in the title that it gives itself.
  const daemon = startDaemon("redis-sentinel", [file], String(port), join(directory, `sentinel-${port}.log`));
  const isUp = await settles(() => {
    try {
      return execFileSync("redis-cli", ["-p", String(port), "ping"], { encoding: "utf8" }).trim() === "PONG";
    } catch {
      return false;
    }
  }, 10_000);
  if (!isUp) throw new Error("redis-sentinel did not start");
  return daemon;
}
