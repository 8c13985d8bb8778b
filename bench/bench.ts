// What every part of the benchmark works with: the upstream, how often, how large, and sides that alternate.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { startCallee } from "./calls.ts";
import type { Cost } from "./measure.ts";
import { median } from "./report/part.ts";
import { openSide, type Side, type SideSetting } from "./sides.ts";
import type { LineOptions, Traffic, UpstreamFacts, UpstreamOptions } from "./upstream.ts";

/** One run. */
export interface Bench {
  readonly imageBytes: number;
  readonly linkBytesPerSecond: number;
  /** Most that one connection gets, where connections are limited. */
  readonly connectionBytesPerSecond: number;
  readonly rounds: number;
  /** Size of the largest image of the growth and memory parts. */
  readonly largeBytes: number;
  /** Says what is going on. */
  log(text: string): void;
}

/** A running upstream. */
export interface Upstream extends AsyncDisposable {
  readonly facts: UpstreamFacts;
  limit(bytesPerSecond?: number): Promise<void>;
  /** Opens a line to it, or changes the line that there is. Gives its origins, and where each is found at the other end. */
  line(options: LineOptions): Promise<[origin: string, atLine: string][]>;
  reset(): Promise<void>;
  traffic(): Promise<Traffic>;
  prepareDevelopment(): Promise<void>;
}

/** Starts one in a process of its own. */
export async function openUpstream(options: UpstreamOptions): Promise<Upstream> {
  const callee = startCallee("./upstream.ts");
  const facts = await callee.call<UpstreamFacts>("start", options);
  return {
    facts,
    limit: (bytesPerSecond) => callee.call("limit", bytesPerSecond),
    line: (options) => callee.call("line", options),
    reset: () => callee.call("reset"),
    traffic: () => callee.call("traffic"),
    prepareDevelopment: () => callee.call("prepareDevelopment"),
    [Symbol.asyncDispose]: () => callee[Symbol.asyncDispose](),
  };
}

/**
 * Opens the sides, lets them take turns, and throws the first round away: it warms them up. Each round begins with another side, and
 * each turn with nothing left to write: else who comes after `cp` would share the processors with the kernel that writes it down.
 */
export async function alternate<T>(
  names: readonly string[],
  setting: SideSetting,
  rounds: number,
  turn: (side: Side) => Promise<T>,
): Promise<Map<string, T[]>> {
  await using stack = new AsyncDisposableStack();
  const sides: Side[] = [];
  for (const name of names) sides.push(stack.use(await openSide(name, setting)));
  const results = new Map(names.map((name) => [name, [] as T[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const index of sides.keys()) {
      const side = sides[(index + round) % sides.length]!;
      await flush();
      const result = await turn(side);
      if (round > 0) results.get(side.name)!.push(result);
    }
  }
  return results;
}

/** Waits until the kernel has written what there is to write. */
export async function flush(): Promise<void> {
  if (process.platform !== "win32") await promisify(execFile)("sync");
}

/** Medians of what a side cost. */
export function mediansOf(costs: readonly Cost[]): Omit<Cost, "peakRssBytes"> {
  return { ms: median(costs.map(({ ms }) => ms)), cpuMs: median(costs.map(({ cpuMs }) => cpuMs)) };
}
