// A process that runs the seeds that its parent sends it, and answers each with what came of it.
import type { Narrowing } from "./narrowing.ts";
import { simulate } from "./simulate.ts";

/** What to run. */
export interface Order {
  readonly seed: number;
  readonly narrowing: Narrowing;
}

/** What a parent needs to know of a run. */
export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly fingerprint: string;
  readonly decisions: number;
}

process.on("message", async ({ seed, narrowing }: Order) => {
  const { violations, fingerprint, decisions } = await simulate(seed, narrowing);
  process.send?.({ seed, violations, fingerprint, decisions } satisfies Outcome);
});
