// A Redis server of a test file's own, which may be flushed, filled, stopped and started again.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, settles, stopDaemon } from "../../scripts/services/daemon.ts";
import { startRedis } from "../../scripts/services/redis.ts";

/** A running server. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** Ends the process, at once and without a word; its data go with it. */
  kill(): Promise<void>;
  /** Starts it again at the same port. */
  start(): Promise<void>;
  /** Stops answering, while the connection stays, until `SIGCONT`. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
  stop(): Promise<void>;
}

/** Starts one; `settings` are as on its command line. */
export async function startTestRedis(...settings: string[]): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), "test-redis-"));
  let { url, daemons } = await startRedis(directory, settings);
  const port = Number(new URL(url).port);
  const signalAll = (signal: NodeJS.Signals) => {
    for (const { pid } of daemons) process.kill(pid, signal);
  };
  return {
    url,
    port,
    signal: signalAll,
    async kill() {
      signalAll("SIGKILL");
      await settles(() => !daemons.some(isAlive), 5_000);
    },
    async start() {
      ({ daemons } = await startRedis(directory, settings, port));
    },
    async stop() {
      await Promise.all(daemons.map(stopDaemon));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
