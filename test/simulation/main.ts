// `npm run simulate -- --seed N` shows one run, and with `--shrink` the smallest one that fails like it. `--seeds N`, `--minutes M` or both (what comes first) run many, from `--from` on, or to the first failures (`--first 1`), in `--jobs` processes.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { excerptOf } from "./excerpt.ts";
import { runSeeds } from "./jobs.ts";
import { type Narrowing, optionsOf } from "./narrowing.ts";
import { shrink } from "./shrink.ts";
import { type Result, simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    from: { type: "string", default: "1" },
    first: { type: "string", default: "Infinity" },
    jobs: { type: "string", default: String(availableParallelism()) },
    shrink: { type: "boolean", default: false },
    draw: { type: "string" },
    processes: { type: "string" },
    versions: { type: "string" },
    callers: { type: "string" },
    calls: { type: "string" },
    "faulty-ms": { type: "string" },
    without: { type: "string" },
  },
});

const started = performance.now();
const elapsedMs = () => performance.now() - started;
const limitMs = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60_000;
const narrowing = narrowingOf();

if (values.seed === undefined) await many();
else if (values.shrink) await smallest(Number(values.seed));
else await one(Number(values.seed));

function narrowingOf(): Narrowing {
  const count = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  return {
    draw: count(values.draw),
    processes: count(values.processes),
    versions: count(values.versions),
    callers: count(values.callers),
    calls: count(values.calls),
    faultyMs: count(values["faulty-ms"]),
    without: values.without?.split(","),
  };
}

async function one(seed: number): Promise<void> {
  const result = await simulate(seed, narrowing);
  console.log(result.trace.join("\n"));
  const again = await simulate(seed, narrowing);
  const isSame = again.fingerprint === result.fingerprint;
  console.log(`seed ${seed}: ${result.decisions} decisions, fingerprint ${result.fingerprint.slice(0, 16)}`);
  if (!isSame) console.log(differenceOf(result, again));
  for (const violation of result.violations) console.log(`VIOLATION: ${violation}`);
  process.exitCode = isSame && result.violations.length === 0 ? 0 : 1;
}

function differenceOf(first: Result, second: Result): string {
  const at = first.trace.findIndex((line, index) => line !== second.trace[index]);
  return `a second run differs at line ${at}:\n  ${first.trace[at]}\n  ${second.trace[at]}`;
}

async function smallest(seed: number): Promise<void> {
  const shrunk = await shrink(seed, simulate, { start: narrowing, isOver: () => elapsedMs() >= limitMs });
  const { trace, decisions } = shrunk.result;
  console.log(excerptOf(trace).join("\n"));
  console.log(`${decisions} decisions, after ${shrunk.runs} runs in ${(elapsedMs() / 1000).toFixed(1)} s`);
  console.log(`npm run simulate -- ${optionsOf(seed, shrunk.narrowing)}`);
  process.exitCode = 1;
}

async function many(): Promise<void> {
  const seeds = Number(values.seeds ?? (values.minutes === undefined ? 200 : Number.POSITIVE_INFINITY));
  let [passed, failed, decisions] = [0, 0, 0];
  const [from, jobs] = [Number(values.from), Number(values.jobs)];
  const tell = () => {
    const seconds = elapsedMs() / 1000;
    const pace = `${Math.round(decisions / seconds)} a second`;
    console.log(`${passed + failed} seeds, ${decisions} decisions in ${seconds.toFixed(1)} s (${pace})`);
  };
  await runSeeds({ from, seeds, jobs, narrowing }, (outcome) => {
    decisions += outcome.decisions;
    if (outcome.violations.length === 0) passed += 1;
    else {
      failed += 1;
      const [first, ...others] = outcome.violations;
      console.log(`seed ${outcome.seed}: ${first}${others.length > 0 ? ` (and ${others.length} more)` : ""}`);
    }
    if ((passed + failed) % 1_000 === 0) tell();
    return failed < Number(values.first) && elapsedMs() < limitMs;
  });
  tell();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
