// Prints parts as they come, and all goals at the end.
import type { Part } from "./part.ts";

/** One part's table. */
export function printPart({ title, table }: Part): void {
  console.log(`\n${title}`);
  if (table.length > 0) console.table(table);
}

/** Every goal, with what was found: what falls short says so. */
export function printGoals(parts: readonly Part[]): void {
  const goals = parts.flatMap((part) => part.goals);
  console.log("\nGoals");
  console.table(
    goals.map(({ what, goal, found, isReached }) => ({
      what,
      goal,
      found,
      "": isReached ? "reached" : "SHORT",
    })),
  );
  const short = goals.filter(({ isReached }) => !isReached).length;
  console.log(`${goals.length - short} of ${goals.length} goals reached`);
}
