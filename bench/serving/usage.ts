// What a server's processes have used since they began, as Linux counts it.
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";

/** Of a process and its children. */
export interface Usage {
  readonly peakBytes: number;
  readonly cpuMs: number;
}

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Sums of a process and its children, such as nginx and its workers. */
export async function usageOf(pid: number): Promise<Usage> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const pids = [pid, ...children.split(" ").filter(Boolean).map(Number)];
  const all = await Promise.all(pids.map(usageOfProcess));
  return {
    peakBytes: all.reduce((sum, { peakBytes }) => sum + peakBytes, 0),
    cpuMs: all.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
  };
}

async function usageOfProcess(pid: number): Promise<Usage> {
  const [status, stat] = await Promise.all(
    ["status", "stat"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8")),
  );
  const peakKiB = Number(/^VmHWM:\s+(\d+) kB/m.exec(status!)?.[1]);
  // The command in parentheses may hold anything; utime and stime are the 12th and 13th field after it (proc_pid_stat(5)).
  const [userTicks, systemTicks] = stat!
    .slice(stat!.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return {
    peakBytes: peakKiB * 1024,
    cpuMs: ((Number(userTicks) + Number(systemTicks)) * 1000) / ticksPerSecond,
  };
}
