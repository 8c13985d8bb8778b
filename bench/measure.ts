// Times a task, with the processor time of all threads and the most memory that the process ever held.

/** What a task cost. */
export interface Cost {
  readonly ms: number;
  /** Since the process began: a figure for one task needs a process of its own. */
  readonly peakRssBytes: number;
  readonly cpuMs: number;
}

/** Runs it. */
export async function measure(task: () => Promise<unknown>): Promise<Cost> {
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  await task();
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { ms, peakRssBytes: process.resourceUsage().maxRSS * 1024, cpuMs: (user + system) / 1000 };
}
