// The matrix for people: runtimes down, suites across.
import Table from "cli-table3";
import type { Result } from "./results.ts";

/** Results by the runtime's name. */
export type Matrix = ReadonlyMap<string, readonly Result[]>;

/** One row a runtime, one column a suite: passed, skipped and failed. */
export function tableOf(matrix: Matrix): string {
  const suites = [...new Set([...matrix.values()].flat().map(({ suite }) => suite))];
  const table = new Table({ head: ["", ...suites], style: { head: [], border: [] } });
  for (const [runtime, results] of matrix) {
    table.push([runtime, ...suites.map((suite) => cell(results.filter((result) => result.suite === suite)))]);
  }
  return table.toString();
}

/** One row a test, one column a runtime, of the suites that are asked for: what they found, over all stores. */
export function tableByName(matrix: Matrix, isMeant: (suite: string) => boolean): string {
  const columns = [...matrix].map(
    ([runtime, results]) => [runtime, results.filter(({ suite }) => isMeant(suite))] as const,
  );
  const nameOf = ({ name }: Result) => name.replace(/ \([^)]*\)$/, ""); // the store, or why it was skipped
  const names = new Set(columns.flatMap(([, results]) => results.map(nameOf)));
  names.delete("all");
  const table = new Table({
    head: ["", ...columns.map(([runtime]) => runtime)],
    style: { head: [], border: [] },
  });
  for (const name of names)
    table.push([
      name,
      ...columns.map(([, results]) => cell(results.filter((result) => nameOf(result) === name))),
    ]);
  return table.toString();
}

/** Why what was skipped was, what was counted, and what was said of each failure. */
export function notesOf(matrix: Matrix): string[] {
  const all = [...matrix].flatMap(([runtime, results]) => results.map((result) => ({ runtime, ...result })));
  const skips = Map.groupBy(
    all.filter(({ outcome }) => outcome === "skipped"),
    ({ suite, name }) => `skipped  ${suite}: ${name}`,
  );
  const counts = all.filter(({ note }) => note !== undefined);
  const failures = all.filter(({ outcome }) => outcome === "failed");
  return [
    ...[...skips].map(([what, where]) => `${what} on ${where.map(({ runtime }) => runtime).join(", ")}`),
    ...counts.map(({ runtime, suite, name, note }) => `counted  ${runtime}, ${suite}: ${name}: ${note}`),
    ...failures.map(
      ({ runtime, suite, name, detail }) => `FAILED   ${runtime}, ${suite}: ${name}\n${detail ?? ""}`,
    ),
  ];
}

/** How many came out so. */
export function countOf(matrix: Matrix, outcome: Result["outcome"]): number {
  return [...matrix.values()].flat().filter((result) => result.outcome === outcome).length;
}

function cell(results: readonly Result[]): string {
  const count = (outcome: Result["outcome"]) => results.filter((result) => result.outcome === outcome).length;
  if (results.length === 0) return "";
  const [passed, skipped, failed] = [count("passed"), count("skipped"), count("failed")];
  if (skipped === results.length) return "skipped";
  return [`${passed}`, skipped && `${skipped} skipped`, failed && `${failed} FAILED`]
    .filter(Boolean)
    .join(", ");
}
