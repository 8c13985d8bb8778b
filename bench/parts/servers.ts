// First and repeated gets from stores that are servers, with files beside them for scale. Apart from all other parts: servers use the
// processors also when it is not their turn, and S3 deletes long after it has said so.
import { withServices } from "../../scripts/services/services.ts";
import { newBucket } from "../../test/support/s3-service.ts";
import { type Bench, mediansOf, type Upstream } from "../bench.ts";
import type { Part } from "../report/part.ts";
import { unboundedFirstGets } from "./first-get.ts";
import { repeatedGets } from "./repeated-get.ts";

const names = ["ours, fs", "ours, Redis", "ours, S3"];

/** Starts the servers, measures, and stops them. */
export function onServers(bench: Bench, upstream: Upstream): Promise<Part> {
  return withServices(async ({ environment }) => {
    const access = { ...environment, BENCH_S3: JSON.stringify((await newBucket()).access) };
    const first = await unboundedFirstGets(bench, upstream, names, access);
    const repeated = await repeatedGets(bench, upstream, names, access);
    const [firstOf, repeatedOf] = [first, repeated].map(
      (costs) => (name: string) => mediansOf(costs.get(name)!),
    ) as [Medians, Medians];
    return {
      title: "Stores that are servers on the same machine, .img",
      table: names.map((name) => ({
        side: name,
        "first get, ms": Math.round(firstOf(name).ms),
        "CPU ms of ours": Math.round(firstOf(name).cpuMs),
        "repeated get, ms": Math.round(repeatedOf(name).ms),
        "CPU ms of ours, repeated": Math.round(repeatedOf(name).cpuMs),
      })),
      goals: [],
      bars: [
        ...names.map((name) => ({ group: "First get, while servers run", name, ms: firstOf(name).ms })),
        ...names.map((name) => ({ group: "Repeated get, while servers run", name, ms: repeatedOf(name).ms })),
      ],
    };
  });
}

type Medians = (name: string) => ReturnType<typeof mediansOf>;
