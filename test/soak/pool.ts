// The worker processes: starts them, kills and stops them, starts the killed ones again, and notices one that ends unasked.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Command, Report, WorkerTask } from "./protocol.ts";

/** What a pool is made of. */
export interface PoolOptions {
  readonly processes: number;
  readonly task: Omit<WorkerTask, "slot" | "generation" | "readers">;
  /** In all processes together. */
  readonly readers: number;
  onReport(report: Report): void;
  onFailure(what: string): void;
}

interface Slot {
  child: ChildProcess;
  generation: number;
  state: "running" | "stopped" | "killed" | "ending";
}

const script = fileURLToPath(new URL("./worker.ts", import.meta.url));

/** The worker processes of a run. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #slots: Slot[] = [];
  /** Restarts and continuations still to come. */
  readonly #pending = new Set<Promise<void>>();

  constructor(options: PoolOptions) {
    this.#options = options;
    for (let slot = 0; slot < options.processes; slot++) this.#start(slot, 0);
  }

  send(slot: number, command: Command): void {
    const { child } = this.#slots[slot]!;
    if (child.connected) child.send(command, () => undefined);
  }

  broadcast(command: Command): void {
    for (const slot of this.#slots.keys()) this.send(slot, command);
  }

  /** Kills it with SIGKILL; another one takes its place. */
  kill(slot: number, restartAfterMs: number): void {
    const entry = this.#slots[slot]!;
    if (entry.state === "killed") return;
    entry.state = "killed";
    entry.child.kill("SIGKILL");
    this.#later(
      once(entry.child, "close").then(async () => {
        await sleep(restartAfterMs);
        this.#start(slot, entry.generation + 1);
      }),
    );
  }

  /** Stops it for a time. Says whether it was running. */
  pause(slot: number, forMs: number): boolean {
    const entry = this.#slots[slot]!;
    if (entry.state !== "running") return false;
    entry.state = "stopped";
    entry.child.kill("SIGSTOP");
    this.#later(
      sleep(forMs).then(() => {
        entry.child.kill("SIGCONT");
        if (entry.state === "stopped") entry.state = "running";
      }),
    );
    return true;
  }

  /** Settles when every worker is there and runs. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** Tells all to end and settles when they have; says which had to be killed because they did not. */
  async end(withinMs: number): Promise<number[]> {
    const closed = this.#slots.map(async ({ child }) => void (await once(child, "close")));
    for (const entry of this.#slots) entry.state = "ending";
    this.broadcast({ type: "stop" });
    const all = Promise.all(closed);
    await Promise.race([all, sleep(withinMs, undefined, { ref: false })]);
    const left = [...this.#slots.keys()].filter((slot) => isAlive(this.#slots[slot]!.child));
    this.destroy();
    await all;
    return left;
  }

  /** Kills what is left. */
  destroy(): void {
    for (const entry of this.#slots) {
      if (!isAlive(entry.child)) continue;
      entry.state = "killed";
      entry.child.kill("SIGKILL");
    }
  }

  #later(work: Promise<void>): void {
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work));
  }

  #start(slot: number, generation: number): void {
    const { task, processes, readers, onReport, onFailure } = this.#options;
    const share = Math.floor(readers / processes) + (slot < readers % processes ? 1 : 0);
    const full: WorkerTask = { ...task, slot, generation, readers: share };
    const child = spawn(process.execPath, [script, JSON.stringify(full)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const entry: Slot = { child, generation, state: "running" };
    this.#slots[slot] = entry;
    child.on("message", (report: Report) => onReport(report));
    child.once("close", (code, signal) => {
      const isExpected = entry.state === "killed" || (entry.state === "ending" && code === 0);
      if (!isExpected)
        onFailure(`worker ${slot}.${generation} ended by itself: code ${code}, signal ${signal}`);
    });
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
