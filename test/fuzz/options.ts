// The command line of the fuzz.
import { parseArgs } from "node:util";

/** How much is to be run. */
export interface FuzzOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly minutes: number;
  /** This round alone. */
  readonly round: number | undefined;
}

/** Reads the arguments. A run ends with the rounds or the minutes, whichever are over first. */
export function readOptions(): FuzzOptions {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
      rounds: { type: "string" },
      minutes: { type: "string" },
      round: { type: "string" },
    },
  });
  for (const [name, value] of Object.entries(values))
    if (!(Number(value) >= 0)) throw new Error(`--${name} must be a number`);
  const { seed, rounds, minutes, round } = values;
  return {
    seed: Number(seed),
    rounds: Number(rounds ?? (minutes === undefined ? 3_000 : Number.POSITIVE_INFINITY)),
    minutes: Number(minutes ?? Number.POSITIVE_INFINITY),
    round: round === undefined ? undefined : Number(round),
  };
}
