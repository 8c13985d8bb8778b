// After `close` a script's runtime must end by itself, at once and with 0: over any store, however the last get ended.
import type { ExitTask } from "../entries/exit.ts";
import type { StorePlace } from "../suites/store-at.ts";
import { inLanes } from "./lanes.ts";
import { type ProcessRuntime, run } from "./processes.ts";
import { type Result, resultOf } from "./results.ts";

const allowedMs = 3_000;

const endings = [
  ...(["a whole get", "a get left half-way", "an aborted get"] as const),
  ...(["a failed get", "a get between two tries"] as const),
];

/** Runs the script over each store, in every way that a get and a manager can end. */
export function testExits(
  runtime: ProcessRuntime,
  project: string,
  env: Record<string, string>,
  places: readonly StorePlace[],
): Promise<Result[]> {
  const tasks = places.flatMap((place): ExitTask[] => [
    ...endings.map((ending) => ({ place, ending, closing: "close()" as const })),
    ...endings.map((ending) => ({ place, ending, closing: "await using" as const })),
    // Nothing may go on in the background that would want a close.
    { place, ending: "a whole get", closing: "no close" },
  ]);
  return inLanes(
    3,
    tasks.map((task) => () => testExit(runtime, project, { ...env, TEST_TASK: JSON.stringify(task) }, task)),
  );
}

async function testExit(
  runtime: ProcessRuntime,
  project: string,
  env: Record<string, string>,
  { place, ending, closing }: ExitTask,
): Promise<Result> {
  const args = runtime.scriptArguments("exit.mjs");
  const { exitCode, output, lingeredMs } = await run(runtime.binary, args, {
    cwd: project,
    env,
    limitMs: 20_000,
  });
  const isFine = exitCode === 0 && output.trim() === "closed" && lingeredMs < allowedMs;
  const name = `exit :: ${place.kind}, ${ending}, ${closing}: the runtime ends by itself`;
  if (isFine) return resultOf(name, "passed");
  const detail = `exit code ${exitCode}, ${Math.round(lingeredMs)} ms after its last line:\n${output}`;
  return resultOf(name, "failed", detail);
}
