// Starts the real servers that test/services runs against, and stops exactly what was started.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cephRequirements, type S3Service, startCeph } from "./ceph.ts";
import { type Daemon, isAlive, stopDaemon } from "./daemon.ts";
import { ensureInstalled } from "./install.ts";
import { type RedisService, redisRequirements, startRedis } from "./redis.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** Servers that run, as data: it can be written down and read again by another process. */
export interface Services {
  /** What tests read. */
  readonly environment: Readonly<Record<string, string>>;
  readonly daemons: readonly Daemon[];
  /** Everything that they keep on the disk. */
  readonly directory: string;
}

/**
 * Installs what is missing and starts a set of servers of the caller's own, on ports that are free.
 *
 * @throws an error with the command that installs it, where a server's program is missing and can't be installed.
 */
export async function startServices(): Promise<Services> {
  ensureInstalled([...redisRequirements, ...cephRequirements]);
  const directory = mkdtempSync(join(tmpdir(), "services-"));
  const daemons: Daemon[] = [];
  const interruption = watchForInterruption();
  const onStart = (daemon: Daemon) => {
    daemons.push(daemon);
    interruption.throwIfAny();
  };
  try {
    const redis = await startRedis(join(directory, "redis"));
    redis.daemons.forEach(onStart);
    const s3 = await startCeph(join(directory, "ceph"), onStart);
    interruption.throwIfAny();
    return { environment: environmentOf(redis, s3), daemons, directory };
  } catch (error) {
    await stopServices({ daemons, directory });
    throw error;
  } finally {
    interruption.ignore();
  }
}

/**
 * Runs a task on servers of its own, with their environment in this process's. They would outlive it, so they end with it, too: at
 * once where Ctrl-C or an exit comes before the task's end.
 *
 * @throws what {@link startServices} throws, and what the task does.
 */
export async function withServices<T>(task: (services: Services) => Promise<T>): Promise<T> {
  const services = await startServices();
  Object.assign(process.env, services.environment);
  const interrupt = () => process.exit(1);
  const end = () => endAtOnce(services);
  for (const signal of signals) process.on(signal, interrupt);
  process.on("exit", end);
  try {
    return await task(services);
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
    process.off("exit", end);
    await stopServices(services);
  }
}

/** Ends them and deletes what they kept. */
export async function stopServices({
  daemons,
  directory,
}: Pick<Services, "daemons" | "directory">): Promise<void> {
  // Last started, first stopped: a gateway without its cluster hangs.
  for (const daemon of [...daemons].reverse()) await stopDaemon(daemon);
  rmSync(directory, { recursive: true, force: true });
}

/** Whether all of them still run. */
export function areRunning({ daemons }: Services): boolean {
  return daemons.every(isAlive);
}

function endAtOnce({ daemons, directory }: Services): void {
  for (const daemon of daemons) if (isAlive(daemon)) process.kill(daemon.pid, "SIGKILL");
  rmSync(directory, { recursive: true, force: true });
}

function environmentOf(redis: RedisService, s3: S3Service): Record<string, string> {
  return {
    TEST_REDIS_URL: redis.url,
    TEST_S3_ENDPOINT: s3.endpoint,
    TEST_S3_ACCESS_KEY: s3.accessKeyId,
    TEST_S3_SECRET_KEY: s3.secretAccessKey,
    TEST_S3_REGION: s3.region,
  };
}

/** Ctrl-C while servers start must not leave them behind: it becomes an error between two of them. */
function watchForInterruption() {
  let isInterrupted = false;
  const interrupt = () => {
    isInterrupted = true;
  };
  for (const signal of signals) process.on(signal, interrupt);
  return {
    throwIfAny() {
      if (isInterrupted) throw new Error("Interrupted while the servers were starting");
    },
    ignore() {
      for (const signal of signals) process.off(signal, interrupt);
    },
  };
}
