// After the storm: everybody comes to an end, every image can be got, and nothing is left behind.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BalenaApi } from "../support/balena-api/index.ts";
import type { Pool } from "./pool.ts";
import type { Command, Report } from "./protocol.ts";
import type { Tally } from "./tally.ts";
import { calmUpstream } from "./upstream.ts";

/** What is checked. */
export interface FinalCheckOptions {
  readonly api: BalenaApi;
  readonly pool: Pool;
  readonly processes: number;
  readonly base: string;
  readonly ttlMs: number;
  readonly tally: Tally;
  /** How many reports of a type came so far. */
  reportsOf(type: Report["type"]): number;
}

// Together less than the minute that a run may take on top of its time.
const idleWithinMs = 25_000;
const checkedWithinMs = 20_000;
const endedWithinMs = 8_000;
const maxOpenFiles = 64;
const sweptAfterMs = 60 * 60 * 1000;

/** Every violation goes to the tally. */
export async function checkFinally(options: FinalCheckOptions): Promise<void> {
  const { api, pool, tally, processes, ttlMs } = options;
  calmUpstream(api.faults);
  await pool.settled();
  await ask(options, { type: "calm" }, "idle", [...Array(processes).keys()], idleWithinMs);
  await connectionsClosed(options, "when all were idle");
  await ask(
    options,
    { type: "check", cache: "default" },
    "checked",
    [...Array(processes).keys()],
    checkedWithinMs,
  );
  // A get that finds the image in the cache leaves a dead owner's lease alone; a transfer clears it away.
  await ask(options, { type: "check", cache: "reload" }, "checked", [0], checkedWithinMs);
  await sleep(ttlMs);
  await nothingLeft(options);
  await connectionsClosed(options, "at the end");
  for (const slot of await pool.end(endedWithinMs)) tally.fail(`worker ${slot} did not exit by itself`);
  await temporaryFilesFew(options);
}

/** Gives the command and waits until all have answered. */
async function ask(
  { pool, tally, reportsOf }: FinalCheckOptions,
  command: Command,
  answer: Report["type"],
  slots: readonly number[],
  withinMs: number,
): Promise<void> {
  const wanted = reportsOf(answer) + slots.length;
  const untilMs = performance.now() + withinMs;
  for (const slot of slots) pool.send(slot, command);
  while (reportsOf(answer) < wanted && performance.now() < untilMs) await sleep(20);
  if (reportsOf(answer) < wanted)
    tally.fail(`not all workers were ${answer} ${withinMs} ms after "${command.type}"`);
}

async function connectionsClosed({ api, tally }: FinalCheckOptions, when: string): Promise<void> {
  for (let waitedMs = 0; api.counters.openConnections > 0 && waitedMs < 3000; waitedMs += 50) await sleep(50);
  const { openConnections } = api.counters;
  if (openConnections > 0) tally.fail(`${openConnections} download connections were open ${when}`);
}

async function nothingLeft({ base, tally }: FinalCheckOptions): Promise<void> {
  const files = await readdir(base, { recursive: true });
  const left = files.filter((file) => /(leases|partials).*\.bin$/.test(file));
  if (left.length > 0) tally.fail(`leases or journals were left:\n  ${left.join("\n  ")}`);
}

async function temporaryFilesFew({ base, tally }: FinalCheckOptions): Promise<void> {
  const files = await readdir(join(base, ".tmp")).catch(() => []);
  const most = tally.get("kills") * maxOpenFiles;
  if (files.length > most)
    tally.fail(`${files.length} temporary files were left by ${tally.get("kills")} kills`);
  for (const file of files) {
    const { mtimeMs } = await stat(join(base, ".tmp", file));
    if (Date.now() - mtimeMs > sweptAfterMs)
      tally.fail(`temporary file ${file} is older than the sweep allows`);
  }
  tally.add("temporary files left by kills", files.length);
}
