// `npm run test:loaded -- --times 3 --busy 4`: runs `npm test` so many times while so many processes keep the machine busy. A test that
// guesses how long something takes fails here.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { parseArgs, stripVTControlCharacters } from "node:util";

const { values, positionals } = parseArgs({
  options: { times: { type: "string", default: "3" }, busy: { type: "string", default: "4" } },
  allowPositionals: true,
});

const busy = Array.from({ length: wholeNumber("busy") }, () =>
  spawn(process.execPath, ["--eval", "for (;;);"], { stdio: "ignore" }),
);
process.once("exit", () => {
  for (const child of busy) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

let failedRuns = 0;
const times = wholeNumber("times");
for (let run = 1; run <= times; run++) {
  const startedMs = performance.now();
  const { code, output } = await runTests();
  if (code !== 0) failedRuns += 1;
  // All of a run that failed; of another one, how many tests there were.
  if (code !== 0) console.log(output);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  const tests = /^ +Tests +(.*)$/m.exec(output)?.[1] ?? "no test was counted";
  console.log(`run ${run} of ${times}: ${code === 0 ? "passed" : "FAILED"} after ${seconds} s: ${tests}`);
}
console.log(`${times - failedRuns} passed, ${failedRuns} failed`);
process.exit(failedRuns === 0 ? 0 : 1);

/** Further words are names of test files. */
async function runTests(): Promise<{ code: number | null; output: string }> {
  const vitest: ChildProcess = spawn("vitest", ["run", ...positionals], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = () => vitest.kill("SIGTERM");
  process.once("exit", end);
  const pieces: Buffer[] = [];
  for (const stream of [vitest.stdout, vitest.stderr]) stream?.on("data", (piece) => pieces.push(piece));
  const [code] = (await once(vitest, "close")) as [number | null];
  process.off("exit", end);
  return { code, output: stripVTControlCharacters(Buffer.concat(pieces).toString()) };
}

function wholeNumber(name: "times" | "busy"): number {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number >= 0) return number;
  console.error(`--${name} must be a whole number, not ${values[name]}`);
  process.exit(2);
}
