// Runs an example where it belongs and says what is wrong with what came of it.
import { leftOver } from "./longer-files.ts";
import type { PlacedExample } from "./project.ts";
import type { Servers } from "./routes.ts";
import { runInProcess } from "./run-process.ts";
import { runInWorker } from "./run-worker.ts";
import { missingOutput } from "./stated-output.ts";

/** What an example is run against. */
export interface Surroundings {
  readonly servers: Servers;
  /** Of the image that examples get by URL. */
  readonly sha256: string;
}

/** How it went. */
export interface Run {
  readonly stdout: string;
  /** Empty where all went well. */
  readonly error: string;
  readonly tookMs: number;
}

/** Never rejects. */
export async function runExample(example: PlacedExample, surroundings: Surroundings): Promise<Run> {
  const startedMs = performance.now();
  const running = example.runtime === "worker" ? runInWorker : runInProcess;
  const { stdout, error } = await running(example, surroundings).catch((cause: Error) => ({
    stdout: "",
    error: String(cause.stack ?? cause),
  }));
  const tookMs = performance.now() - startedMs;
  const wrong = error || missingOutput(example.code, stdout) || (await leftOver(example, example.directory));
  return { stdout, error: wrong, tookMs };
}
