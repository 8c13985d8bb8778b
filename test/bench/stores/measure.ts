// Times a task and watches how much memory the process takes meanwhile.

/** What a task cost. */
export interface Cost {
  readonly ms: number;
  readonly peakRssBytes: number;
}

const sampleMs = 20;

/** Runs it. */
export async function measure(task: () => Promise<unknown>): Promise<Cost> {
  let peakRssBytes = process.memoryUsage.rss();
  const sample = () => {
    peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
  };
  const timer = setInterval(sample, sampleMs);
  const startMs = performance.now();
  try {
    await task();
    const ms = performance.now() - startMs;
    sample();
    return { ms, peakRssBytes };
  } finally {
    clearInterval(timer);
  }
}
