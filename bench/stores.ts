// What the manager costs over the bare client of each store: first and repeated gets of one image against the same chunks moved by
// node:fs, ioredis and aws4fetch, in one run, one side after the other. `npm run bench:stores -- [--size MiB] [--rounds n]`, and
// `--stores fs,redis` for some of them. The servers are real ones (see scripts/services).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { withServices } from "../scripts/services/services.ts";
import { newBucket } from "../test/support/s3-service.ts";
import { type Callee, startCallee } from "./calls.ts";
import { compiled } from "./compiled.ts";
import type { Cost } from "./measure.ts";
import { median } from "./report/part.ts";
import type { StorePlace } from "./stores/plan.ts";
import type { Traffic, UpstreamFacts } from "./upstream.ts";

/** Part of the bare client's speed that is to be reached. */
const goal = 0.8;
const MiB = 1024 * 1024;

/** Milliseconds of each round. */
interface Times {
  readonly first: number[];
  readonly write: number[];
  readonly repeated: number[];
  readonly read: number[];
  readonly floor: number[];
  peakRssBytes: number;
}

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "512" },
    rounds: { type: "string", default: "5" },
    stores: { type: "string", default: "fs,redis,s3" },
  },
});
const [sizeMiB, rounds] = [wholeNumber("size", options.size, 32), wholeNumber("rounds", options.rounds, 3)];
const wanted = options.stores.split(",");

await using api = startCallee("./upstream.ts");
const upstream = await api.call<UpstreamFacts>("start", { imageBytes: sizeMiB * MiB, files: [".img"] });
const rows = await withStores(async (places) => {
  const made: object[] = [];
  for (const place of places) made.push(rowOf(place, await compare(place)));
  return made;
});
console.log(
  `${sizeMiB} MiB, a fifth of it free space, medians of ${rounds} rounds; ratio: bare client's time to ours, goal ${goal}`,
);
console.table(rows);

async function compare(place: StorePlace): Promise<Times> {
  await using ours = startCallee(await compiled("./stores/ours.ts"));
  await using raw = startCallee(await compiled("./stores/raw.ts"));
  for (const side of [ours, raw]) await side.call("open", { upstream, place });
  // The first round warms both sides up, and is thrown away.
  await measureRound(ours, raw, emptyTimes(), () => ours.call("check"));
  const times = emptyTimes();
  for (let round = 0; round < rounds; round++) await measureRound(ours, raw, times);
  return times;
}

async function measureRound(
  ours: Callee,
  raw: Callee,
  times: Times,
  check = async (): Promise<unknown> => undefined,
): Promise<void> {
  times.floor.push((await raw.call<Cost>("floor")).ms);
  times.write.push((await raw.call<Cost>("write")).ms);
  const first = await ours.call<Cost>("first");
  times.read.push((await raw.call<Cost>("read")).ms);
  await api.call("reset");
  const repeated = await ours.call<Cost>("repeated");
  if ((await api.call<Traffic>("traffic")).requests > 0) throw new Error("A repeated get asked the upstream");
  times.first.push(first.ms);
  times.repeated.push(repeated.ms);
  times.peakRssBytes = Math.max(times.peakRssBytes, first.peakRssBytes, repeated.peakRssBytes);
  await check();
  for (const side of [ours, raw]) await side.call("clear");
}

/** Starts what is needed, and stops and deletes it whatever happens. */
async function withStores<T>(work: (places: StorePlace[]) => Promise<T>): Promise<T> {
  const base = await mkdtemp(join(tmpdir(), "bench-stores-"));
  const workThere = async () => work(await Promise.all(wanted.map((kind) => placeOf(kind, base))));
  const needsServers = wanted.some((kind) => kind !== "fs");
  try {
    return await (needsServers ? withServices(workThere) : workThere());
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

async function placeOf(kind: string, base: string): Promise<StorePlace> {
  if (kind === "fs") return { kind, base };
  if (kind === "redis") return { kind, url: process.env["TEST_REDIS_URL"] as string };
  if (kind === "s3") return { kind, access: (await newBucket()).access };
  throw new Error(`There is no store "${kind}" here: fs, redis or s3`);
}

function emptyTimes(): Times {
  return { first: [], write: [], repeated: [], read: [], floor: [], peakRssBytes: 0 };
}

function rowOf({ kind }: StorePlace, times: Times) {
  const [first, write] = [median(times.first), median(times.write)];
  const [repeated, read] = [median(times.repeated), median(times.read)];
  const fetching = median(times.floor);
  return {
    store: kind,
    "fetch alone, ms": Math.round(fetching),
    "raw write, ms": Math.round(write),
    "first get, ms": Math.round(first),
    "ratio, first": verdict(write / first),
    // Information alone: the bare client would have to fetch the image, too.
    "(fetch + write) : first": Number(((fetching + write) / first).toFixed(2)),
    "raw read, ms": Math.round(read),
    "repeated get, ms": Math.round(repeated),
    "ratio, repeated": verdict(read / repeated),
    "peak RSS, MiB": Math.round(times.peakRssBytes / MiB),
  };
}

function verdict(ratio: number): string {
  return `${ratio.toFixed(2)} ${ratio >= goal ? "reached" : `short of ${goal}`}`;
}

function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new Error(`--${name} must be a whole number from ${min}`);
}
