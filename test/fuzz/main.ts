// `npm run fuzz`: rounds of seeded mutations of the store, of the upstream's answers and of requests to the handler. Right bytes, a typed
// error or a miss are allowed; wrong bytes, a hang, an error of no type and an unhandled rejection are not. A round that fails is
// told in words, with the command that repeats it.
import { readOptions } from "./options.ts";
import { drawPlan, type Plan, wordsOf } from "./plan.ts";
import { type Counts, runRound } from "./round.ts";
import { takeSnapshot } from "./snapshot.ts";

const { seed, rounds, minutes, round: only } = readOptions();
const endMs = performance.now() + 60_000 * minutes;
const lanes = 8;
const counts: Counts = new Map();
const running = new Map<number, Plan>();
const failed = new Set<number>();
let passed = 0;

console.log(`fuzz: --seed ${seed} ${only === undefined ? `--rounds ${rounds}` : `--round ${only}`}`);
process.stdout.on("error", () => process.exit(1)); // a pipe that is closed would be told into itself
for (const event of ["unhandledRejection", "uncaughtException"] as const) process.on(event, onStray);
const snapshot = await takeSnapshot();
const startMs = performance.now();
await (only === undefined ? runAll() : run(only)).catch((failure) => {
  console.log("The fuzz itself fails:", failure);
  process.exit(2);
});
report();

async function runAll(): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < rounds && performance.now() < endMs) await run(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function run(round: number): Promise<void> {
  const plan = await drawPlan(seed, round, snapshot); // what this throws is a fault of the fuzz itself, and ends it
  if (only !== undefined) console.log(wordsOf(plan).join("\n"));
  running.set(round, plan);
  try {
    await runRound(plan, snapshot, counts);
    await new Promise(setImmediate); // a rejection that nobody handles is told by then
    if (!failed.has(round)) passed++;
  } catch (failure) {
    fail(round, plan, failure instanceof Error ? (failure.stack ?? failure.message) : String(failure));
  } finally {
    running.delete(round);
  }
}

/** It belongs to one of the rounds that are running; each of them is told, since a repetition shows which. */
function onStray(failure: unknown): void {
  const text = failure instanceof Error ? failure.stack : String(failure);
  for (const [round, plan] of running)
    fail(round, plan, `an unhandled rejection, of this or of a neighbouring round: ${text}`);
}

function fail(round: number, plan: Plan, what: string): void {
  failed.add(round);
  console.log(`\nFAILED   seed ${seed}, round ${round}: ${what}`);
  for (const line of wordsOf(plan)) console.log(line);
  console.log(`  repeat   npm run fuzz -- --seed ${seed} --round ${round}`);
}

function report(): void {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const outcomes = [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} ${name}`);
  console.log(`\n${passed + failed.size} rounds in ${seconds} s; steps: ${outcomes.join(", ")}`);
  console.log(`${passed} passed, ${failed.size} failed`);
  process.exit(failed.size > 0 ? 1 : 0);
}
