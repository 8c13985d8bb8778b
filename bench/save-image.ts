// What saving a cached image costs over `cp` of the same file, and over reading it alone: `node bench/save-image.ts [--size MiB]
// [--rounds n] [--concurrency n]`. The store is a warm one on disk, a fifth of the image is free space, the sides take turns.
import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { balenaApiSource } from "../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../src/adapters/fs/index.ts";
import { nodeHash, saveImage } from "../src/adapters/node/index.ts";
import { createImageManager, type ImageManager } from "../src/core/index.ts";
import { startCallee } from "./calls.ts";
import { image } from "./image.ts";
import { type Cost, measure } from "./measure.ts";
import { median } from "./report/part.ts";
import type { UpstreamFacts } from "./upstream.ts";

const MiB = 1024 * 1024;
const fileType = ".img"; // inflating is no part of it
const run = promisify(execFile);

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "512" },
    rounds: { type: "string", default: "5" },
    concurrency: { type: "string", default: "4" },
  },
});

const directory = await mkdtemp(join(tmpdir(), "bench-save-"));
const file = (name: string) => join(directory, name);
try {
  await using upstream = startCallee("./upstream.ts");
  const imageBytes = Number(options.size) * MiB;
  const { url, sha256 } = await upstream.call<UpstreamFacts>("start", { imageBytes, files: [fileType] });
  await using images = createImageManager({
    source: balenaApiSource({ apiUrl: url }),
    storage: fsAdapter({ base: file("store") }),
    hash: nodeHash,
    freshness: { maxAgeMs: Number.POSITIVE_INFINITY },
  });
  await compare(images, sha256);
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function compare(images: ImageManager, sha256: string): Promise<void> {
  const save = (name: string) =>
    saveImage(images, image.deviceType, image.version, file(name), {
      fileType,
      concurrency: Number(options.concurrency),
    });
  const { holeBytes } = await save("source"); // fills the store, too
  await assertSame("source", sha256);
  const [copying, getting, saving] = (await takeTurns([
    () => run("cp", [file("source"), file("copy")]),
    () => drain(images),
    () => save("saved"),
  ])) as [Cost[], Cost[], Cost[]];
  await assertSame("saved", sha256);

  console.log(
    `${options.size} MiB, ${Math.round(holeBytes / MiB)} MiB of it holes, medians of ${options.rounds} rounds; ratio: cp's time to ours`,
  );
  const cpMs = median(copying.map(({ ms }) => ms));
  console.table({
    cp: { ms: Math.round(cpMs), "MiB on disk": await diskMiB("copy") },
    "get alone": rowOf(getting, cpMs),
    saveImage: { ...rowOf(saving, cpMs), "MiB on disk": await diskMiB("saved") },
  });
}

/** Every side once a round, into new files; the first round warms up and is not counted. */
async function takeTurns(sides: readonly (() => Promise<unknown>)[]): Promise<Cost[][]> {
  const costs: Cost[][] = sides.map(() => []);
  for (let round = 0; round <= Number(options.rounds); round++) {
    await Promise.all(["copy", "saved"].map((name) => rm(file(name), { force: true })));
    for (const [index, side] of sides.entries()) {
      const cost = await measure(side);
      if (round > 0) costs[index]!.push(cost);
    }
  }
  return costs;
}

async function drain(images: ImageManager): Promise<void> {
  for await (const _ of await images.get(image.deviceType, image.version, { fileType }));
}

function rowOf(costs: readonly Cost[], cpMs: number) {
  const ms = median(costs.map((cost) => cost.ms));
  return {
    ms: Math.round(ms),
    ratio: Number((cpMs / ms).toFixed(2)),
    "CPU, ms": Math.round(median(costs.map(({ cpuMs }) => cpuMs))),
    "peak RSS, MiB": Math.round(Math.max(...costs.map(({ peakRssBytes }) => peakRssBytes)) / MiB),
  };
}

async function diskMiB(name: string): Promise<number> {
  return Math.round(((await stat(file(name))).blocks * 512) / MiB);
}

async function assertSame(name: string, sha256: string): Promise<void> {
  const { stdout } = await run("sha256sum", [file(name)]);
  if (!stdout.startsWith(sha256)) throw new Error("The file is not the upstream's image");
}
