// A Redis Cluster of a test file's own: masters on loopback, without replicas.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, isAlive, settles, stopDaemon } from "../../scripts/services/daemon.ts";
import { type RedisService, startRedis } from "../../scripts/services/redis.ts";

/** A running cluster. */
export interface TestRedisCluster {
  /** Of its masters. */
  readonly urls: string[];
  /** Ends a node, at once and without a word. What it kept is gone, but not what it knows of the cluster. */
  kill(node: number): Promise<void>;
  /** Starts it again. Fulfils when the whole cluster is up. */
  start(node: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one; `settings` of each node are as on its command line. */
export async function startTestRedisCluster(
  masters: number,
  ...settings: string[]
): Promise<TestRedisCluster> {
  const directory = await mkdtemp(join(tmpdir(), "test-redis-cluster-"));
  const nodes: (RedisService & { busPort: number; begin(port: number): Promise<RedisService> })[] = [];
  for (let index = 0; index < masters; index++) {
    // Not the usual 10,000 above the port: free ports are high, and there may be none.
    const busPort = await freePort();
    const own = [
      "--cluster-enabled",
      "yes",
      "--cluster-port",
      String(busPort),
      "--cluster-node-timeout",
      "2000",
    ];
    const begin = (port?: number) => startRedis(join(directory, String(index)), [...own, ...settings], port);
    nodes.push({ busPort, begin, ...(await begin()) });
  }
  const addresses = nodes.map(({ url, busPort }) => `${new URL(url).host}@${busPort}`);
  const cli = (...args: string[]) => execFileSync("redis-cli", args, { encoding: "utf8" });
  const untilUp = async () => {
    const isUp = () =>
      nodes.every(({ url }) => cli("-u", url, "cluster", "info").includes("cluster_state:ok"));
    if (!(await settles(isUp, 20_000))) throw new Error("The cluster did not come up");
  };
  if (masters >= 3) {
    cli("--cluster", "create", ...addresses, "--cluster-yes");
    await untilUp();
  }
  return {
    urls: nodes.map(({ url }) => url),
    async kill(index) {
      const { daemons } = nodes[index]!;
      for (const { pid } of daemons) process.kill(pid, "SIGKILL");
      await settles(() => !daemons.some(isAlive), 5_000);
    },
    async start(index) {
      const node = nodes[index]!;
      Object.assign(node, await node.begin(Number(new URL(node.url).port)));
      await untilUp();
    },
    async stop() {
      await Promise.all(nodes.flatMap(({ daemons }) => daemons).map(stopDaemon));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
