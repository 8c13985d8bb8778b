// Who read what from whom, for people.
import Table from "cli-table3";
import type { Cell } from "./shared-store.ts";

/** One row for each store and who filled it, one column for each reader. */
export function storeTableOf(cells: readonly Cell[]): string {
  const readers = [...new Set(cells.map(({ readBy }) => readBy))];
  const table = new Table({
    head: ["store", "filled by", "transfers", ...readers.map((name) => `read by ${name}`)],
    style: { head: [], border: [] },
  });
  for (const row of Map.groupBy(cells, ({ store, filledBy }) => `${store} ${filledBy}`).values()) {
    const { store, filledBy = "all at once", transfers } = row[0]!;
    table.push([store, filledBy, transfers, ...readers.map((reader) => outcomeOf(row, reader))]);
  }
  return `${table}\nok: the SHA-256 is the upstream's; and where it was read later, it came from the store with no upstream request for it`;
}

function outcomeOf(row: readonly Cell[], reader: string): string {
  const outcome = row.find(({ readBy }) => readBy === reader)?.result.outcome;
  if (outcome === undefined) return "";
  return outcome === "passed" ? "ok" : "FAILED";
}
