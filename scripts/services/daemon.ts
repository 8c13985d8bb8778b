// Starts server processes that outlive the script, waits for them, and ends exactly those.
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A server process: `mark` is a part of its command line, for its number may be another process's by now. */
export interface Daemon {
  readonly pid: number;
  readonly mark: string;
}

/** Starts a program in a session of its own, with its output in a file. */
export function startDaemon(program: string, args: readonly string[], mark: string, logFile: string): Daemon {
  const log = openSync(logFile, "a");
  const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log] });
  if (child.pid === undefined) throw new Error(`${program} could not be started`);
  child.unref();
  return { pid: child.pid, mark };
}

/** Whether it runs. */
export function isAlive({ pid, mark }: Daemon): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(mark);
  } catch {
    return false;
  }
}

/** Ends it, by force where it does not listen. */
export async function stopDaemon(daemon: Daemon): Promise<void> {
  if (!isAlive(daemon)) return;
  process.kill(daemon.pid, "SIGTERM");
  if (await settles(() => !isAlive(daemon), 10_000)) return;
  if (isAlive(daemon)) process.kill(daemon.pid, "SIGKILL");
  await settles(() => !isAlive(daemon), 5_000);
}

/** Runs a command to its end and returns what it printed; one that fails is an error with what it said. */
export function run(program: string, args: readonly string[], timeoutMs = 60_000): string {
  const result = spawnSync(program, args, { encoding: "utf8", timeout: timeoutMs });
  if (result.status !== 0) throw new Error(`${program} ${args[0] ?? ""} failed: ${lastWords(result)}`);
  return result.stdout;
}

/** Waits until something holds; `false` where it does not in time. */
export async function settles(holds: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (await holds()) return true;
    await sleep(50);
  }
  return false;
}

/** A loopback port that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Whether somebody takes connections at a loopback port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => end(true));
    const end = (isUp: boolean) => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once("error", () => end(false));
  });
}

function lastWords({ stderr, error }: SpawnSyncReturns<string>): string {
  return (error?.message ?? stderr ?? "").trim().slice(-500);
}
