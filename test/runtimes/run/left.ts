// After every operation and `close()` the process ends by itself. One process goes through all of them; only where that one does
// not end, each gets a process of its own, which shows whose fault it is.
import type { LeftTask } from "../entries/left.ts";
import { nodeOperations, operations } from "../suites/operations.ts";
import type { StorePlace } from "../suites/store-at.ts";
import { inLanes } from "./lanes.ts";
import { type Ended, type ProcessRuntime, run } from "./processes.ts";
import { type Result, resultOf } from "./results.ts";

const allowedMs = 3_000;
const names = [...Object.keys(operations), ...Object.keys(nodeOperations)];

/** Runs the script over each store. */
export async function testLeft(
  runtime: ProcessRuntime,
  project: string,
  env: Record<string, string>,
  places: readonly StorePlace[],
): Promise<Result[]> {
  const start = async (task: LeftTask) => {
    const options = {
      cwd: project,
      env: { ...env, TEST_TASK: JSON.stringify(task) },
      limitMs: task.names.length > 1 ? 120_000 : 20_000,
    };
    return run(runtime.binary, runtime.scriptArguments("left.mjs"), options);
  };
  const results = await inLanes(
    2,
    places.map((place) => async () => {
      if (isFine(await start({ place, names })))
        return names.map((name) => resultOf(nameOf(place, name), "passed"));
      return inLanes(
        3,
        names.map((name) => async () => judge(nameOf(place, name), await start({ place, names: [name] }))),
      );
    }),
  );
  return results.flat();
}

const nameOf = ({ kind }: StorePlace, name: string) => `end after :: ${name} (${kind})`;

function isFine({ exitCode, output, lingeredMs }: Ended): boolean {
  return exitCode === 0 && output.trim() === "closed" && lingeredMs < allowedMs;
}

function judge(name: string, ended: Ended): Result {
  if (isFine(ended)) return resultOf(name, "passed");
  const { exitCode, output, lingeredMs } = ended;
  return resultOf(
    name,
    "failed",
    `exit code ${exitCode}, ${Math.round(lingeredMs)} ms after its last line:\n${output}`,
  );
}
