// After `close` a script's runtime must end by itself, at once and with 0.
import { type ProcessRuntime, run } from "./processes.ts";
import { type Result, resultOf } from "./results.ts";

const allowedMs = 3_000;

/** Runs the script that closes a manager in the middle of a get. */
export async function testExit(
  runtime: ProcessRuntime,
  project: string,
  env: Record<string, string>,
): Promise<Result[]> {
  const args = runtime.scriptArguments("exit.mjs");
  const { exitCode, output, lingeredMs } = await run(runtime.binary, args, {
    cwd: project,
    env,
    limitMs: 15_000,
  });
  const isFine = exitCode === 0 && output.trim() === "closed" && lingeredMs < allowedMs;
  const detail = `exit code ${exitCode}, ${Math.round(lingeredMs)} ms after its last line:\n${output}`;
  return [
    resultOf(
      "exit :: the runtime ends by itself after close",
      isFine ? "passed" : "failed",
      isFine ? undefined : detail,
    ),
  ];
}
