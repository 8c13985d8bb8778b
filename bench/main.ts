// `npm run bench`: the image manager against what it replaces and what else people use, in one run on one machine, side by side.
import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { type Bench, openUpstream } from "./bench.ts";
import { type BenchOptions, parseBenchOptions } from "./options.ts";
import { overParts } from "./parts/balena.ts";
import { bundle } from "./parts/bundle.ts";
import { configured } from "./parts/configured.ts";
import { counts } from "./parts/counts.ts";
import { farStore } from "./parts/far.ts";
import { firstGetOverLink, firstGetUnbounded } from "./parts/first-get.ts";
import { growthBySize } from "./parts/growth.ts";
import { growthByImages } from "./parts/images.ts";
import { memory, memoryBySize } from "./parts/memory.ts";
import { developmentAfterProduction } from "./parts/pair.ts";
import { randomRanges, readers, repeatedGet } from "./parts/repeated-get.ts";
import { runtimes } from "./parts/runtimes.ts";
import { scale } from "./parts/scale.ts";
import { onServers } from "./parts/servers.ts";
import { chartOf } from "./report/chart.ts";
import { curvesOf } from "./report/curves.ts";
import type { Part } from "./report/part.ts";
import { printGoals, printPart } from "./report/print.ts";

const [processor] = cpus();
const machine = {
  processor: `${cpus().length} x ${processor?.model}`,
  memoryMiB: Math.round(totalmem() / 2 ** 20),
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
};
const options = parseBenchOptions(process.argv.slice(2));
const parts = await run(options);
printGoals(parts);
if (options.json !== undefined)
  await writeFile(options.json, `${JSON.stringify({ machine, parts }, null, 2)}\n`);
if (options.chart !== undefined) await writeFile(options.chart, chartOf(parts));
if (options.curves !== undefined) await writeFile(options.curves, curvesOf(parts));

async function run({ parts: wanted, withServers, ...sizes }: BenchOptions): Promise<Part[]> {
  const bench: Bench = { ...sizes, log: (text) => console.error(text) };
  const { imageBytes } = bench;
  bench.log(`Packing images of ${imageBytes / 2 ** 20} MiB`);
  await using upstream = await openUpstream({ imageBytes });
  await using holeFree = await openUpstream({ imageBytes, holeFree: true, files: [".img"] });
  const label = " (no holes)";
  const all: Readonly<Record<string, readonly (() => Promise<Part>)[]>> = {
    link: [() => firstGetOverLink(bench, upstream)],
    balena: [() => overParts(bench)],
    first: [() => firstGetUnbounded(bench, upstream), () => firstGetUnbounded(bench, holeFree, label)],
    repeated: [() => repeatedGet(bench, upstream), () => repeatedGet(bench, holeFree, label)],
    ranges: [() => randomRanges(bench, upstream)],
    readers: [() => readers(bench, upstream)],
    pair: [() => developmentAfterProduction(bench, upstream)],
    configured: [() => configured(bench, upstream)],
    memory: [() => memory(bench, upstream), () => memoryBySize(bench)],
    counts: [counts],
    bundle: [bundle],
    runtimes: [() => runtimes(bench, upstream)],
    growth: [() => growthBySize(bench), () => growthByImages(bench)],
    scale: [() => scale(bench)],
    servers: [() => onServers(bench, upstream)],
    far: [() => farStore(bench)],
  };
  const needServers = ["servers", "far"];
  const withoutServers = Object.keys(all).filter((name) => !needServers.includes(name));
  const results: Part[] = [];
  for (const name of [...(wanted ?? withoutServers), ...(withServers ? needServers : [])]) {
    const parts = all[name];
    if (!parts) throw new Error(`There is no part "${name}": ${Object.keys(all).join(", ")}`);
    for (const part of parts) {
      bench.log(`${name} …`);
      results.push(await part());
      printPart(results.at(-1)!);
    }
  }
  return results;
}
