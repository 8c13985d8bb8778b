// A Redis Cluster of a test file's own: masters on loopback, without replicas.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, settles, stopDaemon } from "../../scripts/services/daemon.ts";
import { type RedisService, startRedis } from "../../scripts/services/redis.ts";

/** A running cluster. */
export interface TestRedisCluster {
  /** Of its masters. */
  readonly urls: string[];
  stop(): Promise<void>;
}

/** Starts one; `settings` of each node are as on its command line. */
export async function startTestRedisCluster(
  masters: number,
  ...settings: string[]
): Promise<TestRedisCluster> {
  const directory = await mkdtemp(join(tmpdir(), "test-redis-cluster-"));
  const nodes: (RedisService & { busPort: number })[] = [];
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
    nodes.push({ busPort, ...(await startRedis(join(directory, String(index)), [...own, ...settings])) });
  }
  const addresses = nodes.map(({ url, busPort }) => `${new URL(url).host}@${busPort}`);
  const cli = (...args: string[]) => execFileSync("redis-cli", args, { encoding: "utf8" });
  if (masters >= 3) {
    cli("--cluster", "create", ...addresses, "--cluster-yes");
    const isUp = () =>
      nodes.every(({ url }) => cli("-u", url, "cluster", "info").includes("cluster_state:ok"));
    if (!(await settles(isUp, 20_000))) throw new Error("The cluster did not come up");
  }
  return {
    urls: nodes.map(({ url }) => url),
    async stop() {
      await Promise.all(nodes.flatMap(({ daemons }) => daemons).map(stopDaemon));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
