// An image as balena has it, in parts, over lines: against `/download`, and over several connections against one.
import { type Bench, flush, openUpstream } from "../bench.ts";
import { startCallee } from "../calls.ts";
import { compiled } from "../compiled.ts";
import type { LineGet, LineSide, LineTimes } from "../line-side.ts";
import { atLeast, atMost, median, type Part, rounded } from "../report/part.ts";
import type { LineOptions } from "../upstream.ts";

const latencyMs = 20;

/** What is compared over one line, with the side that is the measure. */
interface Comparison {
  readonly title: string;
  readonly line: LineOptions;
  readonly sides: Readonly<Record<string, LineSide>>;
}

/** All of it. */
export async function overParts(bench: Bench): Promise<Part> {
  const { linkBytesPerSecond: bytesPerSecond, connectionBytesPerSecond, imageBytes } = bench;
  const mbit = Math.round((bytesPerSecond * 8) / 1e6);
  const [one, four] = [{ connections: 1 }, { connections: 4 }];
  const comparisons: Comparison[] = [
    {
      title: `a line of ${mbit} Mbit/s`,
      line: { bytesPerSecond, latencyMs },
      sides: { "parts, 1 connection": one, "parts, 4 connections": four, "/download": { isWhole: true } },
    },
    {
      title: `${connectionBytesPerSecond / 1e6} MB/s a connection`,
      line: { bytesPerSecond: 1e9, connectionBytesPerSecond, latencyMs },
      sides: { "parts, 1 connection": one, "parts, 4 connections": four },
    },
  ];
  await using upstream = await openUpstream({ imageBytes, asBalena: true, files: [".gz"] });
  const found = new Map<string, LineTimes>();
  for (const { title, line, sides } of comparisons) {
    const origins = await upstream.line(line);
    const results = new Map<string, LineTimes[]>();
    for (let round = 0; round <= bench.rounds; round++) {
      for (const [name, side] of Object.entries(sides)) {
        await flush();
        const times = await timesOf({ upstream: upstream.facts, origins, side });
        if (round > 0) results.set(name, [...(results.get(name) ?? []), times]);
      }
    }
    for (const [name, times] of results) found.set(`${title}: ${name}`, mediansOf(times));
  }
  const ratio = (of: string, to: string) => found.get(of)!.ms / found.get(to)!.ms;
  const [full, capped] = comparisons.map(({ title }) => title) as [string, string];
  return {
    title: `An image in parts, ${latencyMs} ms a request`,
    table: [...found].map(([side, { firstByteMs, ms, cpuMs }]) => ({
      side,
      "first byte, ms": Math.round(firstByteMs),
      ms: Math.round(ms),
      "CPU ms": Math.round(cpuMs),
      "MB/s on the wire": rounded(upstream.facts.gzBytes / 1e3 / ms, 1),
    })),
    goals: [
      atLeast(
        `four connections against one, ${connectionBytesPerSecond / 1e6} MB/s each`,
        3,
        ratio(`${capped}: parts, 1 connection`, `${capped}: parts, 4 connections`),
      ),
      atLeast(
        "four connections against one, a full line",
        0.95,
        ratio(`${full}: parts, 1 connection`, `${full}: parts, 4 connections`),
      ),
      atLeast(
        "parts against /download, a full line",
        0.97,
        ratio(`${full}: /download`, `${full}: parts, 1 connection`),
      ),
      atMost(
        "first byte by parts, after that of /download",
        150,
        found.get(`${full}: parts, 1 connection`)!.firstByteMs - found.get(`${full}: /download`)!.firstByteMs,
        " ms",
      ),
    ],
  };
}

/** Each get is made by a process of its own, which deletes what it has stored. */
async function timesOf(get: LineGet): Promise<LineTimes> {
  await using callee = startCallee(await compiled("./line-side.ts"));
  return await callee.call<LineTimes>("get", get);
}

function mediansOf(times: readonly LineTimes[]): LineTimes {
  const of = (name: keyof LineTimes) => median(times.map((one) => one[name]));
  return { firstByteMs: of("firstByteMs"), ms: of("ms"), cpuMs: of("cpuMs") };
}
