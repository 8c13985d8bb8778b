// What goes wrong from outside: the upstream, the processes and the store, one random step after the other.
import { setTimeout as sleep } from "node:timers/promises";
import type { BalenaApi } from "../support/balena-api/index.ts";
import type { Pool } from "./pool.ts";
import type { StoreFaultOrder } from "./protocol.ts";
import type { Random } from "./random.ts";
import type { Tally } from "./tally.ts";
import { breakUpstream } from "./upstream.ts";

/** What chaos works on. */
export interface ChaosOptions {
  readonly random: Random;
  readonly api: BalenaApi;
  readonly pool: Pool;
  readonly processes: number;
  readonly ttlMs: number;
  readonly tally: Tally;
}

/** How long a store call may take before the library gives it up. */
const storeTimeoutMs = 60_000;

/** Goes on until the time is over. Steps that take a minute to heal come only while there is a minute left. */
export async function causeChaos(
  options: ChaosOptions,
  forMs: number,
  log: (line: string) => void,
): Promise<void> {
  const { random } = options;
  const endMs = performance.now() + forMs;
  for (let step = 0; performance.now() < endMs; step++) {
    const leftMs = endMs - performance.now();
    const what = random.weighted<(options: ChaosOptions, leftMs: number) => string>([
      [50, upstreamFault],
      [25, storeFault],
      [9, kill],
      [7, stop],
      [3, clean],
    ])(options, leftMs);
    log(`chaos step ${step}: ${what}`);
    await sleep(Math.min(random.int(100, 900), Math.max(0, endMs - performance.now())));
  }
}

function kill({ random, pool, processes, tally }: ChaosOptions): string {
  const slot = random.int(0, processes - 1);
  pool.kill(slot, random.int(0, 1500));
  tally.add("kills");
  return `kill ${slot}`;
}

function stop({ random, pool, processes, ttlMs, tally }: ChaosOptions): string {
  const slot = random.int(0, processes - 1);
  const forMs = Math.round(ttlMs * (1.2 + 3 * random.next()));
  if (!pool.pause(slot, forMs)) return `worker ${slot} is stopped or dead already`;
  tally.add("stops");
  return `stop ${slot} for ${forMs} ms`;
}

function clean({ random, pool, processes, tally }: ChaosOptions): string {
  const slot = random.int(0, processes - 1);
  pool.send(slot, { type: "clean" });
  tally.add("cleanCache asked");
  return `cleanCache by ${slot}`;
}

function storeFault({ random, pool, processes, tally }: ChaosOptions, leftMs: number): string {
  const slot = random.int(0, processes - 1);
  const operation = random.weighted<StoreFaultOrder["operation"]>([
    [8, "getItemRaw"],
    [5, "setItemRaw"],
    [1, "removeItem"],
    [1, "getKeys"],
    [2, "createIfAbsent"],
  ]);
  const key = random.weighted<string | undefined>([
    [6, ":chunks:"],
    [2, ":images:"],
    [2, ":leases:"],
    [2, ":partials:"],
    [1, ":catalog:"],
    [1, undefined],
  ]);
  const does = storeMisdeed(random, operation, leftMs);
  const times =
    does === "hang"
      ? 1
      : random.weighted([
          [3, random.int(1, 3)],
          [1, random.int(4, 60)],
        ]);
  const order: StoreFaultOrder = { operation, times, does, ...(key !== undefined && { key }) };
  if (does === "hang") pool.broadcast({ type: "excuse", forMs: storeTimeoutMs + 5_000 });
  pool.send(slot, { type: "store-fault", order });
  tally.add("store faults ordered", times);
  return `store fault for ${slot}: ${JSON.stringify(order)}`;
}

function storeMisdeed(
  random: Random,
  operation: StoreFaultOrder["operation"],
  leftMs: number,
): StoreFaultOrder["does"] {
  if (leftMs > storeTimeoutMs + 15_000 && random.chance(0.04)) return "hang";
  const late = { lateMs: random.int(100, 4000) };
  if (operation === "getItemRaw")
    return random.pick(["throw", "short", "flip", "flip", "error", "string", late]);
  if (operation === "setItemRaw") return random.pick(["throw", "short", "flip", "nothing", late]);
  if (operation === "removeItem") return random.pick(["throw", "nothing", late]);
  return random.pick(["throw", late]);
}

function upstreamFault({ random, api, tally }: ChaosOptions): string {
  tally.add("upstream faults set");
  return `upstream ${breakUpstream(random, api.faults)}`;
}
