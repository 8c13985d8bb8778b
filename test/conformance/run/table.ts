// The table for people: what each client does, on each runtime.
import Table from "cli-table3";
import type { Result } from "../../runtimes/run/results.ts";
import type { Matrix } from "../../runtimes/run/table.ts";

const words: Record<Result["outcome"], string> = { passed: "ok", skipped: "limited", failed: "FAILED" };

/** One row a check, one column a runtime. */
export function tableOf(matrix: Matrix): string {
  const table = new Table({ head: ["", ...matrix.keys()], style: { head: [], border: [] } });
  const names = new Set([...matrix.values()].flat().map(({ name }) => name));
  for (const name of names) {
    table.push([name, ...[...matrix.values()].map((results) => wordOf(results, name))]);
  }
  return table.toString();
}

/** Why what is limited is, what was counted, and what was said of each failure. */
export function notesOf(matrix: Matrix): string[] {
  const all = [...matrix].flatMap(([runtime, results]) => results.map((result) => ({ runtime, ...result })));
  return all.flatMap(({ runtime, name, outcome, detail, note }) => {
    const what = `${runtime}: ${name}`;
    if (outcome === "failed") return [`FAILED   ${what}\n${detail}`];
    if (outcome === "skipped") return [`limited  ${what}: ${detail}`];
    return note === undefined ? [] : [`counted  ${what}: ${note}`];
  });
}

function wordOf(results: readonly Result[], name: string): string {
  const result = results.find((one) => one.name === name);
  return result ? words[result.outcome] : "";
}
