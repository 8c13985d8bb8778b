// `npm run simulate:take-back` takes out each thing of the list and prints by which seed that is found; `--only TEXT`, `--seeds N`, `--minutes M` each, `--shrink`.
import { parseArgs } from "node:util";
import { copyWithout, firstToFail } from "./take-back-one.ts";
import { type TakenBack, takenBack } from "./taken-back.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "300" },
    minutes: { type: "string", default: "2" },
    shrink: { type: "boolean", default: false },
  },
});

console.log("| taken out | found by seed | after decisions | what it says |");
console.log("| --- | --- | --- | --- |");
let missed = 0;
for (const thing of takenBack.filter(({ name }) => name.includes(values.only))) await look(thing);
process.exitCode = missed > 0 ? 1 : 0;

async function look({ name, edits, harmless }: TakenBack): Promise<void> {
  const copy = await copyWithout(edits);
  try {
    const { seed, seeds, decisions, violation } = await firstToFail(copy, {
      seeds: Number(values.seeds),
      minutes: Number(values.minutes),
    });
    const found = seed === undefined ? `none of ${seeds}` : String(seed);
    console.log(`| ${name} | ${found} | ${decisions} | ${violation ?? harmless ?? ""} |`);
    if (seed === undefined && harmless === undefined) missed += 1;
    if (seed !== undefined && values.shrink)
      console.log(await copy.simulate([`--seed=${seed}`, "--shrink", `--minutes=${values.minutes}`]));
  } finally {
    await copy.remove();
  }
}
