// What encoded chunks cost and save: stored bytes, and time and processor time of first and repeated gets, on a disk and in a store far
// away, against the download of the .gz over a line of the same latency and rate. `npm run bench:encodings -- [--size MiB] [--rounds n]`,
// and `--forms "raw;zstd"` for some of them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Callee, startCallee } from "./calls.ts";
import { compiled } from "./compiled.ts";
import type { Distance } from "./encodings/far-store.ts";
import type { Form } from "./encodings/side.ts";
import type { Cost } from "./measure.ts";
import { median } from "./report/part.ts";
import type { UpstreamFacts } from "./upstream.ts";

const MiB = 1024 * 1024;
const far: Distance = { latencyMs: 40, bytesPerSecond: 25e6 };
const near: Distance = { latencyMs: 0, bytesPerSecond: 1e12 };
const { values } = parseArgs({
  options: {
    size: { type: "string", default: "256" },
    rounds: { type: "string", default: "3" },
    forms: { type: "string" },
  },
});
const [sizeMiB, rounds] = [Number(values.size), Number(values.rounds)];
const all: readonly Form[] = ["raw", "gzip", "gzip, level 6", "gzip of the web", "zstd", "zstd, level 1"];
const forms =
  values.forms === undefined ? all : all.filter((form) => values.forms?.split(";").includes(form));

const base = await mkdtemp(join(tmpdir(), "bench-"));
try {
  await using api = startCallee("./upstream.ts");
  await using store = startCallee("./encodings/far-store.ts");
  await using side = startCallee(await compiled("./encodings/side.ts"));
  const imageBytes = sizeMiB * MiB;
  const upstream = await api.call<UpstreamFacts>("start", { imageBytes, files: [".gz"] });
  const storeUrl = await store.call<string>("start");
  const download = await downloadTime(api, side, upstream);
  console.log(
    `${sizeMiB} MiB, a fifth of it free space, a .gz of ${upstream.gzBytes} bytes; medians of ${rounds} rounds`,
  );
  console.log(`Download of the .gz at 25 MB/s and 40 ms, inflated to nothing: ${Math.round(download.ms)} ms`);
  const rows: object[] = [];
  for (const form of forms) {
    rows.push(await rowOf({ api, store, side, upstream, storeUrl, form, download }));
    console.log(JSON.stringify(rows.at(-1)));
  }
  console.table(rows);
} finally {
  await rm(base, { recursive: true, force: true });
}

interface Comparison {
  readonly api: Callee;
  readonly store: Callee;
  readonly side: Callee;
  readonly upstream: UpstreamFacts;
  readonly storeUrl: string;
  readonly form: Form;
  readonly download: Cost;
}

/** The first round warms up, and is thrown away. */
async function downloadTime(api: Callee, side: Callee, upstream: UpstreamFacts): Promise<Cost> {
  await api.call("limit", far.bytesPerSecond);
  const costs: Cost[] = [];
  for (let round = 0; round <= rounds; round++) costs.push(await side.call<Cost>("download", upstream));
  await api.call("limit", undefined);
  return medianOf(costs.slice(1));
}

async function rowOf({ api, store, side, upstream, storeUrl, form, download }: Comparison): Promise<object> {
  const disk = { upstream, place: join(base, form), form };
  await side.call("open", disk);
  const unbounded = await costsOf(side, "first");
  const hit = await costsOf(side, "repeated");
  await side.call("check");
  const storedBytes = await side.call<number>("storedBytes");
  await api.call("limit", far.bytesPerSecond);
  const overLine = await costsOf(side, "first");
  await api.call("limit", undefined);
  await side.call("clear");
  await side.call("open", { upstream, place: storeUrl, form });
  await store.call("move", near);
  await side.call("first");
  await store.call("move", far);
  const farHit = await costsOf(side, "repeated");
  await store.call("clear");
  return {
    form,
    "stored / .gz": (storedBytes / upstream.gzBytes).toFixed(2),
    "first, 25 MB/s": Math.round(overLine.ms),
    "CPU ms": Math.round(overLine.cpuMs),
    "first, unbounded": Math.round(unbounded.ms),
    "hit, disk": Math.round(hit.ms),
    "CPU ms of it": Math.round(hit.cpuMs),
    "hit, far": Math.round(farHit.ms),
    "download / hit, far": (download.ms / farHit.ms).toFixed(2),
  };
}

async function costsOf(side: Callee, call: "first" | "repeated"): Promise<Cost> {
  const costs: Cost[] = [];
  for (let round = 0; round < rounds; round++) {
    if (call === "first") await side.call("clear");
    costs.push(await side.call<Cost>(call));
  }
  return medianOf(costs);
}

function medianOf(costs: readonly Cost[]): Cost {
  const of = (pick: (cost: Cost) => number) => median(costs.map(pick));
  return {
    ms: of(({ ms }) => ms),
    cpuMs: of(({ cpuMs }) => cpuMs),
    peakRssBytes: of((cost) => cost.peakRssBytes),
  };
}
