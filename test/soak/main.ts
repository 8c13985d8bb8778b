// `npm run soak`: readers in several processes over one fs store, while everything breaks at random. Every byte is compared.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repeatableImages, startBalenaApi } from "../support/balena-api/index.ts";
import { causeChaos } from "./chaos.ts";
import { checkFinally } from "./final-check.ts";
import { prepareImages } from "./images.ts";
import { Pool } from "./pool.ts";
import type { Report } from "./protocol.ts";
import { createRandom } from "./random.ts";
import { Tally } from "./tally.ts";

const { seed, minutes, readers, processes } = readArguments();
const runMs = minutes * 60_000;
// The end takes some time too, and a minute at the most on top of the run's.
const calmMs = Math.min(15_000, runMs / 4);
const lease = { heartbeatMs: 150, ttlMs: 900, pollMs: 50 };
const MiB = 1024 * 1024;

console.log(`soak: --seed ${seed} --minutes ${minutes} --readers ${readers} --processes ${processes}`);
const tally = new Tally();
const deadline = setTimeout(giveUp, runMs + 58_000);
const random = createRandom(seed, "run");
const directory = await mkdtemp(join(tmpdir(), "soak-"));
// Any length, and now and then one of whole chunks.
const imageBytes = random.chance(0.2) ? 8 * MiB : random.int(8 * MiB, 14 * MiB);
const api = await startBalenaApi({ ...repeatableImages, imageBytes, downloads: "with-validators" });
api.faults.gzipMembers = random.int(1, 3);
const images = await prepareImages(api, directory);
api.counters.reset();

const reportCounts = new Map<Report["type"], number>();
const base = join(directory, "store");
const chaosLog: string[] = [];
const pool = new Pool({
  processes,
  readers,
  task: { seed, apiUrl: api.url, base, images, lease },
  onReport,
  onFailure: (what) => fail(what),
});
process.once("exit", () => pool.destroy());
const progress = setInterval(
  () => console.log(`  ${tally.get("gets ended")} gets, ${tally.failures} failures`),
  15_000,
);

const shared = { api, pool, processes, ttlMs: lease.ttlMs, tally };
await causeChaos({ ...shared, random: createRandom(seed, "chaos") }, runMs - calmMs, (line) => {
  chaosLog.push(`${new Date().toISOString().slice(14, 23)} ${line}`);
  chaosLog.splice(0, chaosLog.length - 40);
});
await checkFinally({ ...shared, base, reportsOf });
await finish();

function reportsOf(type: Report["type"]): number {
  return reportCounts.get(type) ?? 0;
}

function onReport(report: Report): void {
  if (report.type === "failure") fail(report.what, report.trace);
  else tally.onReport(report);
  reportCounts.set(report.type, reportsOf(report.type) + 1);
}

function fail(what: string, trace = ""): void {
  tally.fail(`(seed ${seed}) ${what}`, `${trace}\n--- chaos\n${chaosLog.join("\n")}`);
}

async function finish(): Promise<void> {
  clearTimeout(deadline);
  clearInterval(progress);
  tally.add("upstream transfers", api.counters.transfers);
  tally.add("MiB fetched from upstream", api.counters.bytesSent / MiB);
  await api.close();
  await rm(directory, { recursive: true, force: true });
  tally.print();
  process.exitCode = tally.failures > 0 ? 1 : 0;
}

function giveUp(): void {
  fail("the run did not come to its end in time");
  tally.print();
  process.exit(1);
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
      minutes: { type: "string", default: "3" },
      readers: { type: "string", default: "100" },
      processes: { type: "string", default: "4" },
    },
  });
  const numbers = Object.entries(values).map(([name, value]) => [name, Number(value)] as const);
  for (const [name, value] of numbers) if (!(value >= 0)) throw new Error(`--${name} must be a number`);
  return Object.fromEntries(numbers) as Record<keyof typeof values, number>;
}
