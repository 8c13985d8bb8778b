// Runs seeds in several processes at once. A seed's run is the same whichever process runs it.
import { type ChildProcess, fork } from "node:child_process";
import type { Narrowing } from "./narrowing.ts";
import type { Order, Outcome } from "./worker.ts";

// A stack for each error, and collecting garbage often, took a fifth of the time. `--seed` shows stacks.
const flags = ["--stack-trace-limit=0", "--max-semi-space-size=32"];

// Simulated processes that die leave signals behind which nobody aborts, and Node keeps those: half a megabyte for each run.
const runsOfProcess = 250;

/** Which seeds, and in how many processes. */
export interface Job {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly narrowing?: Narrowing;
}

/** Runs seeds until `take` wants no more. Outcomes come in any order. */
export async function runSeeds(
  { from, seeds, jobs, narrowing = {} }: Job,
  take: (outcome: Outcome) => boolean,
) {
  let next = from;
  let isEnough = false;
  const isOver = () => isEnough || next >= from + seeds;
  const runSome = async () => {
    const child = fork(new URL("./worker.ts", import.meta.url), { execArgv: flags });
    try {
      for (let run = 0; run < runsOfProcess && !isOver(); run++)
        if (!take(await askFor(child, { seed: next++, narrowing }))) isEnough = true;
    } finally {
      child.kill();
    }
  };
  const run = async () => {
    while (!isOver()) await runSome();
  };
  await Promise.all(Array.from({ length: jobs }, run));
}

function askFor(child: ChildProcess, order: Order): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) =>
      reject(new Error(`seed ${order.seed} ended its process (${code})`));
    child.once("exit", onExit);
    child.once("message", (outcome: Outcome) => {
      child.off("exit", onExit);
      resolve(outcome);
    });
    child.send(order);
  });
}
