// Starts and steers processes that get images over one store: real ones, since that is what may be killed and stopped.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ChildTask } from "./child.ts";

/** What a process told last, and how it came out. */
export interface ChildReport {
  bytes: number;
  events: string[];
  origin?: string;
  sha256?: string;
  isCommitted?: boolean;
  error?: string;
}

/** A process under way. */
export interface Child {
  readonly process: ChildProcess;
  readonly report: ChildReport;
  /** Settles when it has delivered so many bytes; rejects where it ends before. */
  delivered(bytes: number): Promise<void>;
  /** Settles when the process has ended, whichever way. */
  ended(): Promise<ChildReport>;
  kill(signal: NodeJS.Signals): void;
}

const script = fileURLToPath(new URL("./child.ts", import.meta.url));

/** Starts one. */
export function startChild(task: ChildTask): Child {
  const process_ = spawn(process.execPath, [script, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const report: ChildReport = { bytes: 0, events: [] };
  const lines = createInterface({ input: process_.stdout });
  lines.on("line", (line) => {
    const { event, ...facts } = JSON.parse(line) as Partial<ChildReport> & { event?: string };
    if (event) report.events.push(event);
    Object.assign(report, facts);
  });
  const closed = once(process_, "close");
  return {
    process: process_,
    report,
    async delivered(bytes) {
      while (report.bytes < bytes) {
        if (process_.exitCode !== null || process_.signalCode !== null)
          throw new Error(`It ended early: ${JSON.stringify(report)}`);
        await Promise.race([once(lines, "line"), closed]);
      }
    },
    async ended() {
      await closed;
      return report;
    },
    kill: (signal) => void process_.kill(signal),
  };
}
