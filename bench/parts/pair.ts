// The development variant after production: what is fetched, what is stored, and how long it takes.
import { bytesIn } from "../../test/support/bytes-in.ts";
import { type Bench, mediansOf, type Upstream } from "../bench.ts";
import type { Cost } from "../measure.ts";
import { type Part, rounded } from "../report/part.ts";
import { openSide } from "../sides.ts";

/** Both are got one after the other, as often as there are rounds. */
export async function developmentAfterProduction(bench: Bench, upstream: Upstream): Promise<Part> {
  await upstream.prepareDevelopment();
  await using side = await openSide("ours, fs", { upstream: upstream.facts });
  const costs: Record<"production" | "development", Cost[]> = { production: [], development: [] };
  const stored = { production: 0, development: 0 };
  for (let round = 0; round <= bench.rounds; round++) {
    let before = 0;
    for (const name of ["production", "development"] as const) {
      const cost = await side.first({ fileType: ".gz", developmentMode: name === "development" });
      if (round > 0) costs[name].push(cost);
      const all = await bytesIn(side.base);
      stored[name] = all - before;
      before = all;
    }
    await side.clear();
  }
  return {
    title: "The development variant after production, .gz, unbounded",
    table: (["production", "development"] as const).map((name) => ({
      variant: name,
      ms: Math.round(mediansOf(costs[name]).ms),
      "stored in addition, MiB": rounded(stored[name] / 2 ** 20, 1),
    })),
    goals: [],
  };
}
