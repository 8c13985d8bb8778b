// The list of all examples, printed at the end: what was tried with each, and what not and why.
import { isCompiled } from "./compile.ts";
import { noReason } from "./examples.ts";
import type { PlacedExample } from "./project.ts";
import type { Run } from "./run.ts";

/** One line for each example, and their sum. */
export function listOf(
  examples: readonly PlacedExample[],
  compiled: ReadonlyMap<string, string[]>,
  runs: ReadonlyMap<string, Run>,
): string {
  const rows = examples.map((example) => {
    const verdict = compiled.has(example.name)
      ? "does not compile"
      : isCompiled(example)
        ? "compiled"
        : "parsed";
    return `${example.name.padEnd(48)}${verdict.padEnd(18)}${runOf(example, runs.get(example.name))}`;
  });
  const notRun = examples.flatMap((example) => example.notRun ?? []);
  const unexplained = notRun.filter((reason) => reason.includes(noReason)).length;
  const sum = `${examples.length} examples, ${runs.size} of them run; ${notRun.length} not, ${unexplained} without a reason`;
  return [...rows, sum].join("\n");
}

function runOf({ runtime, notRun }: PlacedExample, run: Run | undefined): string {
  if (!run) return `not run, ${notRun}`;
  return `${run.error === "" ? "ran" : "FAILED"} on ${runtime}, ${Math.round(run.tookMs)} ms`;
}
